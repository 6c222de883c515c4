// Which steps of each value a part of the result needs.
#pragma once

#include <vector>

#include "nn/model.h"

namespace rrt::nn {

/// A part of a picture, in pixels of value 0.
struct Box {
    Span rows;
    Span columns;
};

/// Along one axis: each value is made from its own step on, and up to one step for all.
struct Steps {
    std::vector<Index> begins;
    Index first;  // of all of them
    Index end;
};

/// What a span of the result needs, to the last bit: whole tiles, for all pixels that a tile reads
/// go into its roundings. `length` is the picture's; both in pixels of value 0.
Steps find_steps(const Model& model, Span wanted, Index length);

/// A value's pixels in a step, in the picture or not.
inline Span pixels_of(const Value& value, Index step) {
    const Index size = kTile * value.shape.scale;
    return {size * step - value.delay, size * (step + 1) - value.delay};
}

}  // namespace rrt::nn
