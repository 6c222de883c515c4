// What of a result must be made again, given that the frame before is known.
#pragma once

#include <vector>

#include "nn/steps.h"

namespace rrt::nn {

/// A picture and the one before it, of the same layout.
struct Pair {
    FrameView now;
    FrameView before;
    Index ratio;  // its size over that of value 0
};

/// Boxes that do not overlap and hold all pixels of the result that may differ, in the last bit,
/// from those of the frame before; one box with the whole picture if leaving out the rest would
/// gain too little.
///
/// `reach` is how far value 0 reads the pictures around a pixel; lengths are in its pixels.
std::vector<Box> find_changes(const Model& model, Index height, Index width,
                              const std::vector<Pair>& pairs, Index reach);

/// Spans of rows of a plane's bicubic enlargement, which has `height`, that may differ from those
/// of the plane before.
std::vector<Span> find_row_changes(const FrameView& now, const FrameView& before, Index scale,
                                   Index height);

}  // namespace rrt::nn
