// Weights in the order in which the kernels read them.
#pragma once

#include "nn/buffer.h"
#include "nn/kernels.h"
#include "nn/network.h"

namespace rrt::nn {

/// A filter and what it points to.
///
/// direct: [output block][row][input][column][output]
/// tail: [4 points][input, whole blocks][output][4 points]; inputs in the order of tail_avx512.inl
/// winograd: [output block][point][input, whole blocks][output]
/// direct_int8: as direct, with words of four inputs in the place of one
/// winograd_bf16: the same with pairs of inputs, [output block][point][input / 2][output][2]
/// direct_amx: [output block][step][row][value / 2][output][2], values in the order of tile_offset
struct PackedFilter {
    Filter filter;
    Buffer weights;
    Buffer bias;
    Buffer slopes;
    Buffer scales;
    Buffer starts;
};

PackedFilter pack(const Layer& layer, const Shape& source, Algorithm algorithm);

}  // namespace rrt::nn
