// Convolutions as they are written: a register tile of pixels, one vector of output channels. Each
// input value is broadcast once for all the horizontal taps that it meets.
#pragma once

#include "nn/finish.inl"

namespace rrt::nn::RRT_ISA {
namespace {

/// Adds what `inputs` channels of one row give to pixels [0, pixels).
template <int pixels, int taps, int stride>
RRT_INLINE void direct_row(const float* row, int inputs, const float*& weights, Vec sums[pixels]) {
    constexpr int reach = taps / 2;
    for (int c = 0; c < inputs; ++c) {
        Vec tap[taps];
        RRT_UNROLL
        for (int k = 0; k < taps; ++k) tap[k] = load(weights + k * kBlock);
        weights += taps * kBlock;
        RRT_UNROLL
        for (int x = -reach; x < pixels + reach; ++x) {
            const Vec value = spread(row[x * stride + c]);
            RRT_UNROLL
            for (int k = 0; k < taps; ++k) {
                const int at = x + reach - k;
                if (at >= 0 && at < pixels) sums[at] = multiply_add(value, tap[k], sums[at]);
            }
        }
    }
}

/// Pixels [0, pixels) of one row; `weights` and `target` are those of the vector.
template <int pixels, int taps, int stride, bool plain>
RRT_INLINE void direct_tile(const ConvCall& call, const float* const* rows, const float* weights,
                            Vec bias, float* target, Index column, const Ending& ending) {
    Vec sums[pixels];
    RRT_UNROLL
    for (int x = 0; x < pixels; ++x) sums[x] = bias;
    RRT_UNROLL
    for (int y = 0; y < taps; ++y) {
        const float* const row = rows[y] + column * stride;
        if constexpr (stride == 1 || stride == 3) {
            // A frame's own pixels, with nothing between: so many are the inputs.
            direct_row<pixels, taps, stride>(row, stride, weights, sums);
        } else {
            int left = call.filter->inputs;
            for (Index block = 0; left > 0; block += call.source_block, left -= kBlock) {
                const int inputs = left < kBlock ? left : kBlock;
                direct_row<pixels, taps, stride>(row + block, inputs, weights, sums);
            }
        }
    }
    RRT_UNROLL
    for (int x = 0; x < pixels; ++x) {
        store(target + (column + x) * call.target_pixel,
              plain ? larger(spread(0.0f), sums[x]) : ending(sums[x], column + x));
    }
}

/// One row of one vector of channels.
template <int taps, int stride, bool plain>
RRT_APART void direct_columns(const ConvCall& call, const float* const* rows, const float* weights,
                              Vec bias, float* target, const Ending& ending) {
    if (call.columns < kDirectPixels) {
        for (Index x = 0; x < call.columns; ++x) {
            direct_tile<1, taps, stride, plain>(call, rows, weights, bias, target, x, ending);
        }
        return;
    }
    // The last tile is moved back to end with the row; it makes some pixels again.
    for (Index x = 0; x < call.columns; x += kDirectPixels) {
        const Index last = call.columns - kDirectPixels;
        direct_tile<kDirectPixels, taps, stride, plain>(call, rows, weights, bias, target,
                                                        x < last ? x : last, ending);
    }
}

template <int taps, int stride>
void direct_rows(const ConvCall& call) {
    const Filter& filter = *call.filter;
    const Index block = Index{filter.inputs} * taps * taps * kBlock;
    const bool plain = is_plain(call);
    for (int channel = 0; channel < filter.outputs; channel += kLanes) {
        const float* const weights = filter.weights + channel / kBlock * block + channel % kBlock;
        const Vec bias = load(filter.bias + channel);
        for (int y = 0; y < kTile; ++y) {
            if (call.targets[y] == nullptr) continue;
            const Ending ending = ending_of(call, y, channel);
            const float* const* const rows = call.sources + y + 1 - taps / 2;
            float* const target =
                call.targets[y] + channel / kBlock * call.target_block + channel % kBlock;
            if (plain) {
                direct_columns<taps, stride, true>(call, rows, weights, bias, target, ending);
            } else {
                direct_columns<taps, stride, false>(call, rows, weights, bias, target, ending);
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
