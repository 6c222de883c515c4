// 3x3 convolutions to at most four channels. Lanes would stand idle, so the three horizontal taps
// lie beside each other in them: every input pixel makes a third of three outputs at once.
#pragma once

#include "nn/vectors.inl"

namespace rrt::nn::RRT_ISA {
namespace {

constexpr int kTailVectors = kBlock / kLanes;
// Two more are made than come out.
constexpr int kTailPixels = kLanes == 16 ? 22 : kLanes == 8 ? 4 : 1;

typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));

template <int pixels>
RRT_INLINE void tail_tile(const ConvCall& call, const float* const* rows, Index column,
                          float* parts) {
    const Filter& filter = *call.filter;
    const float* weights = filter.weights;
    Vec sums[pixels][kTailVectors];
    RRT_UNROLL
    for (int x = 0; x < pixels; ++x) {
        RRT_UNROLL
        for (int v = 0; v < kTailVectors; ++v) sums[x][v] = spread(0.0f);
    }
    for (int y = 0; y < 3; ++y) {
        int left = filter.inputs;
        for (const float* block = rows[y] + (column - 1) * kBlock; left > 0;
             block += call.source_block, left -= kBlock) {
            const int inputs = left < kBlock ? left : kBlock;
            for (int c = 0; c < inputs; ++c) {
                Vec tap[kTailVectors];
                RRT_UNROLL
                for (int v = 0; v < kTailVectors; ++v) tap[v] = load(weights + v * kLanes);
                weights += kBlock;
                RRT_UNROLL
                for (int x = 0; x < pixels; ++x) {
                    const Vec value = spread(block[x * kBlock + c]);
                    RRT_UNROLL
                    for (int v = 0; v < kTailVectors; ++v) {
                        sums[x][v] = multiply_add(value, tap[v], sums[x][v]);
                    }
                }
            }
        }
    }
    RRT_UNROLL
    for (int x = 0; x < pixels; ++x) {
        RRT_UNROLL
        for (int v = 0; v < kTailVectors; ++v) store(parts + x * kBlock + v * kLanes, sums[x][v]);
    }
}

RRT_INLINE Four four_at(const float* from) { return *reinterpret_cast<const Four*>(from); }

RRT_INLINE Four choose(Four a, Four b, bool larger) {
    Four result;
    for (int i = 0; i < 4; ++i) {
        result[i] = larger ? (a[i] > b[i] ? a[i] : b[i]) : (a[i] < b[i] ? a[i] : b[i]);
    }
    return result;
}

/// Outputs [0, pixels) of a row from the parts of pixels -1 to `pixels`.
RRT_INLINE void tail_join(const ConvCall& call, int row, Index column, int pixels,
                          const float* parts) {
    const Filter& filter = *call.filter;
    const Four bias = four_at(filter.bias);
    const Four slope = four_at(filter.slopes);
    const Four zero = {0.0f, 0.0f, 0.0f, 0.0f};
    const Four low = zero + filter.low;
    const Four high = zero + filter.high;
    const float* const residual = call.residuals[row];
    for (int x = 0; x < pixels; ++x) {
        const float* const part = parts + x * kBlock;
        Four sum = four_at(part) + four_at(part + kBlock + 4) + four_at(part + 2 * kBlock + 8);
        sum += bias;
        if (residual != nullptr) {
            const float* const from = residual + (column + x) * call.residual_pixel;
            if (call.residual_channels == 1) {
                sum += zero + *from;
            } else {
                sum += four_at(from);
            }
        }
        if (filter.finish == Finish::relu) {
            sum = choose(sum, zero, true);
        } else if (filter.finish == Finish::leaky) {
            sum = slope * choose(sum, zero, false) + choose(sum, zero, true);
        } else if (filter.finish == Finish::clip) {
            sum = choose(choose(sum, low, true), high, false);
        }
        *reinterpret_cast<Four*>(call.targets[row] + (column + x) * call.target_pixel) = sum;
    }
}

void tail(const ConvCall& call) {
    alignas(64) float parts[(kTailPixels + 2) * kBlock];
    for (int y = 0; y < kTile; ++y) {
        if (call.targets[y] == nullptr) continue;
        const float* const* const rows = call.sources + y;
        for (Index x = 0; x < call.columns;) {
            const Index left = call.columns - x;
            if (left >= kTailPixels || call.columns >= kTailPixels) {
                const Index at = left < kTailPixels ? call.columns - kTailPixels : x;
                tail_tile<kTailPixels + 2>(call, rows, at, parts);
                tail_join(call, y, at, kTailPixels, parts);
                x = at + kTailPixels;
            } else {
                tail_tile<3>(call, rows, x, parts);
                tail_join(call, y, x, 1, parts);
                ++x;
            }
        }
    }
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
