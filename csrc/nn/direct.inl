// Convolutions as they are written: a register tile of pixels, one vector of output channels. Each
// input value is broadcast once for all the horizontal taps that it meets.
#pragma once

#include "nn/finish.inl"

namespace rrt::nn::RRT_ISA {
namespace {

/// Pixels [0, pixels) of one row; `weights` and `target` are those of the vector.
template <int pixels, int taps, int stride>
RRT_INLINE void direct_tile(const ConvCall& call, const float* const* rows, const float* weights,
                            Vec bias, float* target, Index column, const Ending& ending) {
    constexpr int reach = taps / 2;
    const Filter& filter = *call.filter;
    Vec sums[pixels];
    RRT_UNROLL
    for (int x = 0; x < pixels; ++x) sums[x] = bias;
    for (int y = 0; y < taps; ++y) {
        int left = filter.inputs;
        for (const float* block = rows[y] + column * stride; left > 0;
             block += call.source_block, left -= kBlock) {
            const int inputs = left < kBlock ? left : kBlock;
            for (int c = 0; c < inputs; ++c) {
                Vec tap[taps];
                RRT_UNROLL
                for (int k = 0; k < taps; ++k) tap[k] = load(weights + k * kBlock);
                weights += taps * kBlock;
                RRT_UNROLL
                for (int x = -reach; x < pixels + reach; ++x) {
                    const Vec value = spread(block[x * stride + c]);
                    RRT_UNROLL
                    for (int k = 0; k < taps; ++k) {
                        const int at = x + reach - k;
                        if (at >= 0 && at < pixels) {
                            sums[at] = multiply_add(value, tap[k], sums[at]);
                        }
                    }
                }
            }
        }
    }
    RRT_UNROLL
    for (int x = 0; x < pixels; ++x) {
        store(target + (column + x) * call.target_pixel, ending(sums[x], column + x));
    }
}

template <int taps, int stride>
void direct_rows(const ConvCall& call) {
    const Filter& filter = *call.filter;
    const Index block = Index{filter.inputs} * taps * taps * kBlock;
    for (int channel = 0; channel < filter.outputs; channel += kLanes) {
        const float* const weights = filter.weights + channel / kBlock * block + channel % kBlock;
        const Vec bias = load(filter.bias + channel);
        for (int y = 0; y < kTile; ++y) {
            if (call.targets[y] == nullptr) continue;
            const Ending ending = ending_of(call, y, channel);
            const float* const* const rows = call.sources + y + 1 - taps / 2;
            float* const target =
                call.targets[y] + channel / kBlock * call.target_block + channel % kBlock;
            if (call.columns < kDirectPixels) {
                for (Index x = 0; x < call.columns; ++x) {
                    direct_tile<1, taps, stride>(call, rows, weights, bias, target, x, ending);
                }
                continue;
            }
            // The last tile is moved back to end with the row; it makes some pixels again.
            for (Index x = 0; x < call.columns; x += kDirectPixels) {
                const Index last = call.columns - kDirectPixels;
                direct_tile<kDirectPixels, taps, stride>(call, rows, weights, bias, target,
                                                         x < last ? x : last, ending);
            }
        }
    }
}

template <int taps>
void direct_taps(const ConvCall& call) {
    if (call.source_pixel == 1) return direct_rows<taps, 1>(call);
    if (call.source_pixel == 3) return direct_rows<taps, 3>(call);
    if (call.source_pixel == 4) return direct_rows<taps, 4>(call);
    return direct_rows<taps, kBlock>(call);
}

void direct(const ConvCall& call) {
    if (call.filter->taps == 1) return direct_taps<1>(call);
    return direct_taps<3>(call);
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
