// What follows a convolution's sums: residual and activation.
#pragma once

#include "nn/vectors.inl"

namespace rrt::nn::RRT_ISA {
namespace {

/// For one vector of output channels; the bias is in the sums already.
struct Ending {
    Finish finish;
    Vec slope;
    Vec low;
    Vec high;
    const float* residual;  // of a row's first pixel, or null
    int residual_pixel;
    bool one_channel;

    RRT_INLINE Vec operator()(Vec sum, Index column) const {
        if (residual != nullptr) {
            const float* const from = residual + column * residual_pixel;
            sum = add(sum, one_channel ? spread(*from) : load(from));
        }
        // NaN, in the second place, goes through.
        const Vec zero = spread(0.0f);
        if (finish == Finish::relu) return larger(zero, sum);
        if (finish == Finish::leaky) {
            return multiply_add(slope, smaller(zero, sum), larger(zero, sum));
        }
        if (finish == Finish::clip) return smaller(high, larger(low, sum));
        return sum;
    }
};

/// `channel` is the vector's first output channel.
RRT_INLINE Ending ending_of(const ConvCall& call, int row, int channel) {
    const Filter& filter = *call.filter;
    const bool one_channel = call.residual_channels == 1;
    const float* residual = call.residuals[row];
    if (residual != nullptr && !one_channel) {
        residual += channel / kBlock * call.residual_block + channel % kBlock;
    }
    return {filter.finish, load(filter.slopes + channel), spread(filter.low), spread(filter.high),
            residual,      call.residual_pixel,           one_channel};
}

/// Whether ReLU is all that follows, as in most layers: kernels do without an Ending there.
inline bool is_plain(const ConvCall& call) {
    return call.filter->finish == Finish::relu && call.residuals[0] == nullptr;
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
