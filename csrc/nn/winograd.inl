// Winograd's products in fp32, and the way through a row of tiles. A group of tiles goes through
// all its points before the next, so that what lies between the transforms stays in the cache.
#pragma once

#include "nn/winograd_transforms.inl"

namespace rrt::nn::RRT_ISA {
namespace {

// Groups that are not full leave gaps, so that all steps are constants.
constexpr Index kPointStep = Index{kGroup} * kBlock;
constexpr Index kBlockStep = kPoints * kPointStep;
static_assert(kProductVectors <= 2, "winograd takes the last vector of channels alone");

/// Points lie as [input block][point][tile][channel], products as [point][tile][channel].
/// `whole` is for inputs that fill their blocks.
template <int tiles, int vectors, bool whole>
RRT_APART void products(const float* points, const Filter& filter, const float* const* weights,
                        float* const* out) {
    const Index point_weights = Index{filter.input_blocks()} * kBlock * kBlock;
    for (int point = 0; point < kPoints; ++point) {
        Vec sums[vectors][tiles];
        RRT_UNROLL
        for (int v = 0; v < vectors; ++v) {
            RRT_UNROLL
            for (int t = 0; t < tiles; ++t) sums[v][t] = spread(0.0f);
        }
        const float* at[vectors];
        for (int v = 0; v < vectors; ++v) at[v] = weights[v] + point * point_weights;
        const float* block = points + point * kPointStep;
        const auto take = [&](int c) __attribute__((always_inline)) {
            Vec weight[vectors];
            RRT_UNROLL
            for (int v = 0; v < vectors; ++v) {
                weight[v] = load(at[v]);
                at[v] += kBlock;
            }
            RRT_UNROLL
            for (int t = 0; t < tiles; ++t) {
                const Vec value = spread(block[t * kBlock + c]);
                RRT_UNROLL
                for (int v = 0; v < vectors; ++v) {
                    sums[v][t] = multiply_add(value, weight[v], sums[v][t]);
                }
            }
        };
        for (int left = filter.inputs; left > 0; left -= kBlock, block += kBlockStep) {
            if (whole) {
                RRT_UNROLL
                for (int c = 0; c < kBlock; ++c) take(c);
            } else {
                for (int c = 0; c < (left < kBlock ? left : kBlock); ++c) take(c);
            }
        }
        RRT_UNROLL
        for (int v = 0; v < vectors; ++v) {
            RRT_UNROLL
            for (int t = 0; t < tiles; ++t) {
                store(out[v] + point * kPointStep + t * kBlock, sums[v][t]);
            }
        }
    }
}

template <int tiles, int vectors>
void products_of(int count, const float* points, const Filter& filter, const float* const* weights,
                 float* const* out) {
    if (count == tiles) {
        if (filter.inputs % kBlock == 0) {
            return products<tiles, vectors, true>(points, filter, weights, out);
        }
        return products<tiles, vectors, false>(points, filter, weights, out);
    }
    if constexpr (tiles > 1) products_of<tiles - 1, vectors>(count, points, filter, weights, out);
}

RRT_APART void group_points(const ConvCall& call, Index first, int count, float* points) {
    const int blocks = call.filter->input_blocks();
    for (int b = 0; b < blocks; ++b) {
        for (int lane = 0; lane < kBlock; lane += kLanes) {
            const float* rows[6];
            for (int y = 0; y < 6; ++y) {
                rows[y] = call.sources[y] + b * call.source_block + first * kTile * kBlock + lane;
            }
            float* const target = points + b * kBlockStep + lane;
            group_to_points(rows, count, [&](int tile, int y, const Vec* values) {
                RRT_UNROLL
                for (int x = 0; x < 6; ++x) {
                    store(target + (y * 6 + x) * kPointStep + tile * kBlock, values[x]);
                }
            });
        }
    }
}

template <int vectors>
void group_products(const ConvCall& call, int channel, int count, const float* points,
                    float* sums) {
    const Filter& filter = *call.filter;
    const Index block_weights = Index{kPoints} * filter.input_blocks() * kBlock * kBlock;
    const float* weights[vectors];
    float* out[vectors];
    for (int v = 0; v < vectors; ++v) {
        const int at = channel + v * kLanes;
        weights[v] = filter.weights + at / kBlock * block_weights + at % kBlock;
        out[v] = sums + (at / kBlock - channel / kBlock) * kBlockStep + at % kBlock;
    }
    products_of<kGroup, vectors>(count, points, filter, weights, out);
}

void winograd(const ConvCall& call) {
    const Filter& filter = *call.filter;
    const Index tiles = (call.columns + kTile - 1) / kTile;
    const Index groups = (tiles + kGroup - 1) / kGroup;
    float* const points = call.scratch;
    for (Index group = 0; group < groups; ++group) {
        const Index first = tiles * group / groups;
        const int count = static_cast<int>(tiles * (group + 1) / groups - first);
        group_points(call, first, count, points);
        // With one block either way a point's products may take the place of its values.
        const bool in_place = filter.inputs <= kBlock && filter.outputs <= kLanes * kProductVectors;
        float* const sums = in_place ? points : points + filter.input_blocks() * kBlockStep;
        for (int channel = 0; channel < filter.outputs;) {
            const int left = (filter.outputs - channel + kLanes - 1) / kLanes;
            const int vectors = left < kProductVectors ? left : kProductVectors;
            if (vectors == kProductVectors) {
                group_products<kProductVectors>(call, channel, count, points, sums);
            } else {
                group_products<1>(call, channel, count, points, sums);
            }
            for (int v = 0; v < vectors; ++v) {
                const int at = channel + v * kLanes;
                const float* const from =
                    sums + (at / kBlock - channel / kBlock) * kBlockStep + at % kBlock;
                group_from_points<kPointStep>(call, at, first, count, from);
            }
            channel += vectors * kLanes;
        }
    }
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
