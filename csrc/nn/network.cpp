#include "nn/network.h"

#include <cmath>
#include <cstddef>

#include "core/jobs.h"

namespace rrt::nn {
namespace {

constexpr int kMaxValueScale = 8;
// Of int8 sums, in their steps: with as many products as there can be it fits in 32 bits.
constexpr double kMostBias = 1 << 30;

bool all_finite(const std::vector<float>& values) {
    for (const float value : values) {
        if (!std::isfinite(value)) return false;
    }
    return true;
}

std::string text(int value) { return std::to_string(value); }

/// Of it and of its inverse there are floats.
bool is_scale(float value) { return value > 0.0f && std::isnormal(value) && std::isfinite(value); }

bool is_quantisation(const Quantisation& value) {
    return is_scale(value.scale) && value.zero >= 0 && value.zero <= 255;
}

bool all_int8(const std::vector<float>& values) {
    for (const float value : values) {
        if (!(value >= -128.0f && value <= 127.0f && value == std::rint(value))) return false;
    }
    return true;
}

/// What is wrong with a convolution's quantisation.
std::string find_fault_in_bytes(const Layer& layer, const Shape& source) {
    if (layer.scales.empty()) {
        if (source.quantisation) return "reads bytes, for which its weights need scales";
        return layer.result || layer.bytes ? "rounds its result, which needs int8 weights" : "";
    }
    if (!source.quantisation) return "has int8 weights, and reads no bytes";
    if (layer.scales.size() != static_cast<std::size_t>(layer.outputs)) {
        return "has " + std::to_string(layer.scales.size()) + " scales; it needs " +
               text(layer.outputs);
    }
    for (const float scale : layer.scales) {
        if (!is_scale(scale)) return "has a scale that is not positive, or too small";
    }
    for (std::size_t o = 0; o < layer.scales.size(); ++o) {
        const double steps = layer.bias[o] / (double{source.quantisation.scale} * layer.scales[o]);
        if (!(std::abs(steps) <= kMostBias)) return "has a bias that is too large for its scales";
    }
    if (!all_int8(layer.weights)) return "has scales, and weights that are not -128 to 127";
    if (!layer.bytes) return "";
    if (!layer.result) return "makes bytes, and does not say of what scale";
    if (layer.residual != -1 || layer.activation == Activation::leaky ||
        layer.activation == Activation::clip) {
        return "makes bytes, to which only relu is applied, and nothing added";
    }
    return "";
}

std::string find_fault_in_convolution(const Layer& layer, const std::vector<Shape>& shapes,
                                      const Shape& source) {
    if (layer.taps != 1 && layer.taps != 3) {
        return "has " + text(layer.taps) + " taps a side; allowed are 1 and 3";
    }
    if (layer.outputs < 1 || layer.outputs > kMaxWidth) {
        return "makes " + text(layer.outputs) + " channels; allowed are 1 to " + text(kMaxWidth);
    }
    const std::size_t outputs = static_cast<std::size_t>(layer.outputs);
    const std::size_t each = static_cast<std::size_t>(source.channels) *
                             static_cast<std::size_t>(layer.taps * layer.taps);
    if (layer.weights.size() != outputs * each) {
        return "has " + std::to_string(layer.weights.size()) + " weights; it needs " +
               std::to_string(outputs * each);
    }
    if (layer.bias.size() != outputs) {
        return "has " + std::to_string(layer.bias.size()) + " biases; it needs " +
               text(layer.outputs);
    }
    const bool leaky = layer.activation == Activation::leaky;
    if (layer.slopes.size() != (leaky ? outputs : 0)) {
        return "has " + std::to_string(layer.slopes.size()) + " slopes; it needs " +
               text(leaky ? layer.outputs : 0);
    }
    if (!all_finite(layer.weights) || !all_finite(layer.bias) || !all_finite(layer.slopes)) {
        return "has weights that are NaN or infinite";
    }
    if (layer.activation == Activation::clip && !(layer.low <= layer.high)) {
        return "clips to nothing: its lower bound is above the upper one";
    }
    const std::string fault = find_fault_in_bytes(layer, source);
    if (!fault.empty() || layer.residual == -1) return fault;
    if (layer.residual < 0 || layer.residual >= static_cast<int>(shapes.size())) {
        return "adds value " + text(layer.residual) + ", which is not there before it";
    }
    const Shape& residual = shapes[static_cast<std::size_t>(layer.residual)];
    if (residual.quantisation) return "adds bytes";
    if (residual.scale != source.scale) return "adds a value of another size";
    if (residual.channels != layer.outputs && residual.channels != 1) {
        return "adds a value of " + text(residual.channels) + " channels to " + text(layer.outputs);
    }
    return "";
}

std::string find_fault_in_layer(const Layer& layer, int unshuffle, std::vector<Shape>& shapes) {
    if (layer.source < 0 || layer.source >= static_cast<int>(shapes.size())) {
        return "reads value " + text(layer.source) + ", which is not there before it";
    }
    const Shape source = shapes[static_cast<std::size_t>(layer.source)];
    if (layer.result && !is_quantisation(layer.result)) {
        return "has a result of scale " + std::to_string(layer.result.scale) + " and zero point " +
               text(layer.result.zero) + "; allowed are what is positive, and 0 to 255";
    }
    if (layer.step == Step::convolution) {
        std::string fault = find_fault_in_convolution(layer, shapes, source);
        shapes.push_back(
            {layer.outputs, source.scale, layer.bytes ? layer.result : Quantisation{}});
        return fault;
    }
    if (layer.residual != -1) return "adds a value, which only a convolution does";
    if (static_cast<bool>(source.quantisation) != (layer.step == Step::dequantise)) {
        return source.quantisation ? "reads bytes" : "reads floats, and dequantises them";
    }
    if (layer.step == Step::quantise || layer.step == Step::dequantise) {
        const bool quantises = layer.step == Step::quantise;
        if (quantises && !layer.result) return "quantises, and does not say to what scale";
        shapes.push_back(
            {source.channels, source.scale, quantises ? layer.result : Quantisation{}});
        return "";
    }
    if (layer.factor < 2 || layer.factor > kMaxFactor) {
        return "enlarges " + text(layer.factor) + " times; allowed are 2 to " + text(kMaxFactor);
    }
    const int each = layer.factor * layer.factor;
    int channels = source.channels;
    if (layer.step == Step::shuffle || layer.step == Step::frame) {
        if (channels % each != 0) {
            return "makes pixels of " + text(channels) + " channels, which are no multiple of " +
                   text(each);
        }
        channels /= each;
    }
    if (layer.step == Step::frame && (layer.source != 0 || unshuffle % layer.factor != 0)) {
        return "makes blocks of value " + text(layer.source) + " smaller by " + text(layer.factor) +
               "; allowed are those of value 0, and factors of the unshuffle";
    }
    const int scale = source.scale * layer.factor;
    if (scale > kMaxValueScale) {
        return "makes a value " + text(scale) + " times as large as value 0; allowed is " +
               text(kMaxValueScale);
    }
    shapes.push_back({channels, scale, {}});
    return "";
}

}  // namespace

std::string find_fault(const Description& description, std::vector<Shape>& shapes) {
    const int channels = description.channels;
    const bool chroma = channels == kChromaInputs;
    if (channels != 1 && channels != 3 && channels != 4 && !chroma) {
        return "the frame has " + text(channels) + " channels; allowed are 1, 3 and 4, and " +
               text(kChromaInputs) + " of a chroma network";
    }
    const int shuffle = description.shuffle;
    if (shuffle < 1 || shuffle > kMaxShuffle || shuffle == 5 || shuffle == 7) {
        return "the shuffle is " + text(shuffle) + "; allowed are 1 to 4, 6 and 8";
    }
    const int side = description.unshuffle;
    if (side != 1 && side != 2 && side != kMaxUnshuffle) {
        return "the unshuffle is " + text(side) + "; allowed are 1, 2 and 4";
    }
    const std::size_t count = description.layers.size();
    if (count < 1 || count > kMaxLayers) {
        return "there are " + std::to_string(count) + " layers; allowed are 1 to " +
               text(kMaxLayers);
    }
    shapes.assign(1, {channels * side * side, 1, {}});
    for (std::size_t i = 0; i < count; ++i) {
        const std::string fault = find_fault_in_layer(description.layers[i], side, shapes);
        if (!fault.empty()) return "layer " + std::to_string(i) + " " + fault;
    }
    if (shapes.back().quantisation) return "the last layer makes bytes";
    const int made = shapes.back().channels;
    const int each = shuffle * shuffle;
    const int colours = made / each;
    if (chroma && made != 2 * each) {
        return "the last layer makes " + text(made) + " channels; of a chroma network with a " +
               "shuffle of " + text(description.shuffle) + " it must make " + text(2 * each);
    }
    if (!chroma && (made % each != 0 || (colours != 1 && colours != 3 && colours != 4))) {
        return "the last layer makes " + text(made) + " channels; with a shuffle of " +
               text(shuffle) + " allowed are " + text(each) + ", " + text(3 * each) + " and " +
               text(4 * each);
    }
    const int larger = shapes.back().scale * shuffle;
    if (larger % side != 0 || larger > kMaxScale * side) {
        return "the result is " + text(larger) + "/" + text(side) +
               " times as large as the frame; allowed are 1 to " + std::to_string(kMaxScale);
    }
    return "";
}

}  // namespace rrt::nn
