// A network made ready to run: algorithms chosen, weights packed, and how its values lag.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "nn/network.h"
#include "nn/packing.h"
#include "nn/plan.h"

namespace rrt::nn {

/// How a value goes through the pipeline, in its own pixels.
///
/// All values advance by a step of kTile rows of value 0 at once. A layer that reads a row (and
/// a column) ahead lags by it behind its source, so that with each step its source holds all that
/// it reads, and kTile rows of it are whole tiles: where tiles lie is a matter of the picture and
/// the layer alone, so is every rounding. The same holds across, from strip to strip.
struct Value {
    Shape shape;
    int pixel;    // floats, or words of four bytes, between pixels
    int blocks;   // of channels
    Index delay;  // the first step's rows end before row kTile * scale - delay
    Index reach;  // rows and columns behind a step that are still read
};

class Workspace;

/// Keeps the instruction set that was in use when it was made.
class Model {
  public:
    /// Precondition: find_fault found none, these are the shapes, and the algorithms are available.
    Model(Description description, const std::vector<Shape>& shapes, Algorithms allowed,
          Index ring_bytes = nn::ring_bytes());
    ~Model();

    /// Of the frame.
    int channels() const { return description_.channels; }
    /// Side of the frame's blocks that are value 0's pixels.
    int unshuffle() const { return description_.unshuffle; }
    int colours() const { return values_.back().shape.channels / (shuffle() * shuffle()); }
    int shuffle() const { return description_.shuffle; }
    int scale() const { return values_.back().shape.scale * shuffle() / unshuffle(); }
    /// A frame's rows or columns in pixels of value 0.
    Index blocks_of(Index length) const { return (length + unshuffle() - 1) / unshuffle(); }
    const std::vector<Layer>& layers() const { return description_.layers; }
    const std::vector<Value>& values() const { return values_; }
    const Kernels& kernels() const { return kernels_; }
    /// What direct_vnni runs.
    DirectInt8 vnni() const { return vnni_; }
    /// Bytes that the rows which a band keeps should take at most.
    Index ring_bytes() const { return ring_bytes_; }
    const Filter& filter(std::size_t layer) const { return filters_[layer].filter; }

    /// One of those that earlier runs gave back, or a new one.
    std::unique_ptr<Workspace> take_workspace() const;
    void give_back(std::unique_ptr<Workspace> workspace) const;

  private:
    Description description_;
    std::vector<Value> values_;
    std::vector<PackedFilter> filters_;
    const Kernels& kernels_;
    DirectInt8 vnni_;
    Index ring_bytes_;
    mutable std::mutex mutex_;
    mutable std::vector<std::unique_ptr<Workspace>> idle_;
};

/// Whether a layer makes what is as large as its source.
inline bool keeps_size(const Layer& layer) {
    return layer.step == Step::convolution || layer.step == Step::quantise ||
           layer.step == Step::dequantise;
}

/// Rows that a layer reads above and below the one that it makes.
inline Index reach_of(const Layer& layer) {
    return layer.step == Step::convolution ? layer.taps / 2 : layer.step == Step::bilinear ? 1 : 0;
}

/// The source's row at which those that a layer reads for its row `y` begin; its reach aside.
inline Index source_row(const Layer& layer, Index y) {
    if (keeps_size(layer)) return y;
    return y >= 0 ? y / layer.factor : -((-y + layer.factor - 1) / layer.factor);
}

}  // namespace rrt::nn
