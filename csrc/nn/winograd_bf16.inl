// Winograd's products in bf16 with fp32 sums: a broadcast word holds two inputs. Values are fp32
// up to the points, so that nothing else is rounded.
#pragma once

#include "nn/winograd_transforms.inl"

namespace rrt::nn::RRT_ISA {
namespace {

constexpr int kWords = kBlock / 2;
constexpr Index kPointWords = Index{kGroup} * kWords;
constexpr Index kBlockWords = kPoints * kPointWords;
constexpr Index kPointStep = Index{kGroup} * kBlock;

/// Points lie as [input block][point][tile][channel], in 16 bits each.
template <int tiles, int vectors>
RRT_APART void products_bf16(const std::uint32_t* points, const Filter& filter,
                             const float* const* weights, float* const* out) {
    const int blocks = filter.input_blocks();
    for (int point = 0; point < kPoints; ++point) {
        Vec sums[vectors][tiles];
        RRT_UNROLL
        for (int v = 0; v < vectors; ++v) {
            RRT_UNROLL
            for (int t = 0; t < tiles; ++t) sums[v][t] = _mm512_setzero_ps();
        }
        const float* at[vectors];
        for (int v = 0; v < vectors; ++v) {
            at[v] = weights[v] + Index{point} * blocks * kWords * kBlock;
        }
        const std::uint32_t* block = points + point * kPointWords;
        for (int b = 0; b < blocks; ++b, block += kBlockWords) {
            for (int c = 0; c < kWords; ++c) {
                __m512bh weight[vectors];
                RRT_UNROLL
                for (int v = 0; v < vectors; ++v) {
                    weight[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(at[v]));
                    at[v] += kBlock;
                }
                RRT_UNROLL
                for (int t = 0; t < tiles; ++t) {
                    const __m512bh value = reinterpret_cast<__m512bh>(
                        _mm512_set1_epi32(static_cast<int>(block[t * kWords + c])));
                    RRT_UNROLL
                    for (int v = 0; v < vectors; ++v) {
                        sums[v][t] = _mm512_dpbf16_ps(sums[v][t], weight[v], value);
                    }
                }
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
void products_bf16_of(int count, const std::uint32_t* points, const Filter& filter,
                      const float* const* weights, float* const* out) {
    if (count == tiles) return products_bf16<tiles, vectors>(points, filter, weights, out);
    if constexpr (tiles > 1) {
        products_bf16_of<tiles - 1, vectors>(count, points, filter, weights, out);
    }
}

template <int vectors>
void group_products_bf16(const ConvCall& call, int channel, int count, const std::uint32_t* points,
                         float* sums) {
    const Filter& filter = *call.filter;
    const Index block_weights = Index{kPoints} * filter.input_blocks() * kWords * kBlock;
    const float* weights[vectors];
    float* out[vectors];
    for (int v = 0; v < vectors; ++v) {
        weights[v] = filter.weights + (channel / kBlock + v) * block_weights;
        out[v] = sums + v * kPoints * kPointStep;
    }
    products_bf16_of<kGroup, vectors>(count, points, filter, weights, out);
}

RRT_APART void group_points_bf16(const ConvCall& call, Index first, int count,
                                 std::uint32_t* points) {
    const int blocks = call.filter->input_blocks();
    for (int b = 0; b < blocks; ++b) {
        const float* rows[6];
        for (int y = 0; y < 6; ++y) {
            rows[y] = call.sources[y] + b * call.source_block + first * kTile * kBlock;
        }
        std::uint32_t* const target = points + b * kBlockWords;
        group_to_points(rows, count, [&](int tile, int y, const Vec* values) {
            RRT_UNROLL
            for (int x = 0; x < 6; ++x) {
                std::uint32_t* const to = target + (y * 6 + x) * kPointWords + tile * kWords;
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                                    reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values[x])));
            }
        });
    }
}

void winograd_in_bf16(const ConvCall& call) {
    const Filter& filter = *call.filter;
    const Index tiles = (call.columns + kTile - 1) / kTile;
    const Index groups = (tiles + kGroup - 1) / kGroup;
    std::uint32_t* const points = reinterpret_cast<std::uint32_t*>(call.scratch);
    float* const sums = call.scratch + filter.input_blocks() * kBlockWords;
    for (Index group = 0; group < groups; ++group) {
        const Index first = tiles * group / groups;
        const int count = static_cast<int>(tiles * (group + 1) / groups - first);
        group_points_bf16(call, first, count, points);
        for (int channel = 0; channel < filter.outputs;) {
            const int vectors = filter.outputs - channel > kBlock ? kProductVectors : 1;
            if (vectors == 1) {
                group_products_bf16<1>(call, channel, count, points, sums);
            } else {
                group_products_bf16<kProductVectors>(call, channel, count, points, sums);
            }
            for (int v = 0; v < vectors; ++v, channel += kBlock) {
                const float* const from = sums + v * kPoints * kPointStep;
                group_from_points<kPointStep>(call, channel, first, count, from);
            }
        }
    }
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
