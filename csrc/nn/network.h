// What a network is, before anything is known of the machine: plain structs.
#pragma once

#include <string>
#include <vector>

#include "nn/quantisation.h"

namespace rrt::nn {

inline constexpr int kMaxWidth = 1024;
inline constexpr int kMaxLayers = 512;
inline constexpr int kMaxFactor = 4;
inline constexpr int kMaxShuffle = 8;
inline constexpr int kMaxUnshuffle = 4;

enum class Step { convolution, nearest, bilinear, shuffle, frame, quantise, dequantise };

/// relu is max(x, 0); leaky multiplies what is below 0 by a slope for each channel; clip is
/// min(max(x, low), high).
enum class Activation { none, relu, leaky, clip };

/// Values are numbered: 0 is the frame, i + 1 is what layer i makes.
///
/// A convolution pads with zeros to keep the size. To its sums are added the bias and, before the
/// activation, the residual: a value of as many channels, or of one channel that goes to all.
/// The other steps enlarge by a factor: nearest repeats, bilinear has half-pixel centres and
/// repeated edges. shuffle makes the pixels of a block of channels: of channel (y * factor + x) * C
/// + c, C channels being left, the pixel at (y, x). frame is the frame at a size that a factor
/// makes of value 0's: in smaller blocks than those of the unshuffle, or as it is.
///
/// Values are floats or, behind a step that quantises, bytes. A convolution with scales reads
/// bytes: its sums are exact, the bias being rounded to a step of them, and its result is rounded
/// to bytes before the residual if it names their quantisation. It may keep them so; then it adds
/// no residual and has no activation but relu.
struct Layer {
    Step step = Step::convolution;
    int source = 0;
    int factor = 1;
    int taps = 3;  // 3x3 or 1x1
    int outputs = 0;
    std::vector<float> weights;  // outputs x inputs x taps x taps
    std::vector<float> bias;     // outputs
    std::vector<float> scales;   // outputs: the weights are whole numbers from -128 to 127 of these
    Quantisation result;         // of quantise, too
    bool bytes = false;          // whether a convolution's result is kept so
    int residual = -1;
    Activation activation = Activation::none;
    std::vector<float> slopes;  // outputs, for leaky
    float low = 0.0f;           // for clip
    float high = 0.0f;
};

/// The last layer makes colours x shuffle x shuffle channels, in the order of PixelShuffle.
///
/// With an `unshuffle` above 1, value 0 is the frame in blocks of so many pixels a side: smaller by
/// that, and of channels x unshuffle x unshuffle channels in the same order. A frame that ends
/// within a block goes on by reflection.
struct Description {
    int channels = 1;
    int shuffle = 1;
    int unshuffle = 1;
    std::vector<Layer> layers;
};

/// What is known of a value from the description alone.
struct Shape {
    int channels;
    int scale;  // its size over value 0's
    Quantisation quantisation;
};

/// What is wrong with a description, in words; empty if nothing is. Fills the values' shapes.
std::string find_fault(const Description& description, std::vector<Shape>& shapes);

}  // namespace rrt::nn
