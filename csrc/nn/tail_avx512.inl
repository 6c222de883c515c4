// Winograd to at most four channels, as the last layer has them: they would leave three quarters of
// the lanes idle, so a vector holds four points of each of the four outputs. Weights lie the same
// way, and four points of one input are broadcast together.
#pragma once

#include "nn/winograd_transforms.inl"

namespace rrt::nn::RRT_ISA {
namespace {

constexpr int kQuads = kPoints / 4;
// Tiles at once: the results of four are put in order together.
constexpr int kTailGroup = 12;
// Forms without a mask make gcc 12 warn of a value that is not used.
constexpr __mmask16 kAllFloats = 0xffff;
constexpr __mmask8 kAllDoubles = 0xff;
// Floats of four points of a tile.
constexpr Index kQuad = 4 * kBlock;
constexpr Index kQuadStep = kTailGroup * kQuad;
constexpr Index kQuadBlockStep = kQuads * kQuadStep;

/// Swaps rows and columns of the four 4x4 matrices that lie side by side in four vectors.
RRT_INLINE void transpose(const Vec in[4], Vec out[4]) {
    const __m512d low01 = _mm512_castps_pd(_mm512_maskz_unpacklo_ps(kAllFloats, in[0], in[1]));
    const __m512d high01 = _mm512_castps_pd(_mm512_maskz_unpackhi_ps(kAllFloats, in[0], in[1]));
    const __m512d low23 = _mm512_castps_pd(_mm512_maskz_unpacklo_ps(kAllFloats, in[2], in[3]));
    const __m512d high23 = _mm512_castps_pd(_mm512_maskz_unpackhi_ps(kAllFloats, in[2], in[3]));
    out[0] = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(kAllDoubles, low01, low23));
    out[1] = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(kAllDoubles, low01, low23));
    out[2] = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(kAllDoubles, high01, high23));
    out[3] = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(kAllDoubles, high01, high23));
}

/// Swaps rows and columns of a 4x4 matrix of quarters.
RRT_INLINE void transpose_quarters(const Vec in[4], Vec out[4]) {
    const Vec even01 = _mm512_maskz_shuffle_f32x4(kAllFloats, in[0], in[1], 0x88);
    const Vec odd01 = _mm512_maskz_shuffle_f32x4(kAllFloats, in[0], in[1], 0xdd);
    const Vec even23 = _mm512_maskz_shuffle_f32x4(kAllFloats, in[2], in[3], 0x88);
    const Vec odd23 = _mm512_maskz_shuffle_f32x4(kAllFloats, in[2], in[3], 0xdd);
    out[0] = _mm512_maskz_shuffle_f32x4(kAllFloats, even01, even23, 0x88);
    out[1] = _mm512_maskz_shuffle_f32x4(kAllFloats, odd01, odd23, 0x88);
    out[2] = _mm512_maskz_shuffle_f32x4(kAllFloats, even01, even23, 0xdd);
    out[3] = _mm512_maskz_shuffle_f32x4(kAllFloats, odd01, odd23, 0xdd);
}

/// The point that lies at a place of the quads.
RRT_INLINE int point_at(int place) {
    const int second = place % 12 / 6;
    const int pair = place / 12;
    const int y = pair == 0 ? second * 5 : 2 * pair - 1 + second;
    return y * 6 + place % 6;
}

/// Points lie as [input block][quad][tile][channel % 4][channel / 4][4 points].
RRT_APART void tail_points(const ConvCall& call, Index first, int count, float* points) {
    const int blocks = call.filter->input_blocks();
    for (int b = 0; b < blocks; ++b) {
        const float* rows[6];
        for (int y = 0; y < 6; ++y) {
            rows[y] = call.sources[y] + b * call.source_block + first * kTile * kBlock;
        }
        float* const target = points + b * kQuadBlockStep;
        Vec held[12];
        group_to_points(rows, count, [&](int tile, int y, const Vec* values) {
            // Two rows at a time make three quads: 0 and 5, 1 and 2, 3 and 4.
            const bool second = y == 5 || y == 2 || y == 4;
            RRT_UNROLL
            for (int x = 0; x < 6; ++x) held[second ? 6 + x : x] = values[x];
            if (!second) return;
            const int quad = y == 5 ? 0 : y == 2 ? 3 : 6;
            RRT_UNROLL
            for (int i = 0; i < 3; ++i) {
                Vec quads[4];
                transpose(held + 4 * i, quads);
                float* const to = target + (quad + i) * kQuadStep + tile * kQuad;
                RRT_UNROLL
                for (int j = 0; j < 4; ++j) store(to + j * kBlock, quads[j]);
            }
        });
    }
}

/// Products lie as [quad][tile][output][4 points].
template <int tiles>
RRT_APART void tail_products(const float* points, const Filter& filter, float* out) {
    const int blocks = filter.input_blocks();
    const float* weights = filter.weights;
    for (int quad = 0; quad < kQuads; ++quad) {
        Vec sums[tiles];
        RRT_UNROLL
        for (int t = 0; t < tiles; ++t) sums[t] = spread(0.0f);
        const float* block = points + quad * kQuadStep;
        for (int b = 0; b < blocks; ++b, block += kQuadBlockStep) {
            for (int c = 0; c < kBlock; ++c, weights += kBlock) {
                const Vec weight = load(weights);
                RRT_UNROLL
                for (int t = 0; t < tiles; ++t) {
                    const Vec value = _mm512_maskz_broadcast_f32x4(
                        kAllFloats, _mm_loadu_ps(block + t * kQuad + c * 4));
                    sums[t] = multiply_add(value, weight, sums[t]);
                }
            }
        }
        RRT_UNROLL
        for (int t = 0; t < tiles; ++t) store(out + (quad * tiles + t) * kBlock, sums[t]);
    }
}

/// Residual and activation for four pixels of four channels.
RRT_INLINE Vec tail_end(const ConvCall& call, Vec sums, const float* residual, Vec slopes) {
    const Filter& filter = *call.filter;
    if (residual != nullptr) {
        if (call.residual_channels == 1) {
            const __m512i spread_out =
                _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
            const int step = call.residual_pixel;
            const __m128 four = step == 1 ? _mm_loadu_ps(residual)
                                          : _mm_setr_ps(residual[0], residual[step],
                                                        residual[2 * step], residual[3 * step]);
            sums = add(sums, _mm512_maskz_permutexvar_ps(kAllFloats, spread_out,
                                                         _mm512_castps128_ps512(four)));
        } else {
            const int step = call.residual_pixel;
            const __m256 low =
                _mm256_set_m128(_mm_loadu_ps(residual + step), _mm_loadu_ps(residual));
            const __m256 high = _mm256_set_m128(_mm_loadu_ps(residual + 3 * step),
                                                _mm_loadu_ps(residual + 2 * step));
            sums = add(sums,
                       _mm512_maskz_insertf32x8(kAllFloats, _mm512_castps256_ps512(low), high, 1));
        }
    }
    const Vec zero = spread(0.0f);
    if (filter.finish == Finish::relu) return larger(zero, sums);
    if (filter.finish == Finish::leaky) {
        return multiply_add(slopes, smaller(zero, sums), larger(zero, sums));
    }
    if (filter.finish == Finish::clip) {
        return smaller(spread(filter.high), larger(spread(filter.low), sums));
    }
    return sums;
}

/// Four tiles from the products of the first.
RRT_APART void tail_from_points(const ConvCall& call, Index column, int count,
                                const float* products) {
    alignas(64) float points[kPoints * kBlock];
    for (int quad = 0; quad < kQuads; ++quad) {
        Vec tiles[4];
        Vec out[4];
        RRT_UNROLL
        for (int t = 0; t < 4; ++t) tiles[t] = load(products + (quad * count + t) * kBlock);
        transpose(tiles, out);
        RRT_UNROLL
        for (int i = 0; i < 4; ++i) store(points + point_at(quad * 4 + i) * kBlock, out[i]);
    }
    const __m512i turn = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const Vec bias = _mm512_maskz_broadcast_f32x4(kAllFloats, _mm_loadu_ps(call.filter->bias));
    const Vec slopes = _mm512_maskz_broadcast_f32x4(kAllFloats, _mm_loadu_ps(call.filter->slopes));
    tile_from_points<kBlock>(points, [&](int y, const Vec* out) {
        if (call.targets[y] == nullptr) return;
        // From [column][output][tile] by way of [column][tile][output] to [tile][column][output].
        Vec across[kTile];
        Vec pixels[kTile];
        RRT_UNROLL
        for (int x = 0; x < kTile; ++x) {
            across[x] = _mm512_maskz_permutexvar_ps(kAllFloats, turn, out[x]);
        }
        transpose_quarters(across, pixels);
        RRT_UNROLL
        for (int t = 0; t < 4; ++t) {
            const Index at = column + t * kTile;
            const float* const residual = call.residuals[y] == nullptr
                                              ? nullptr
                                              : call.residuals[y] + at * call.residual_pixel;
            store(call.targets[y] + at * 4, tail_end(call, add(pixels[t], bias), residual, slopes));
        }
    });
}

/// Tiles up to a multiple of four are made, so that rows need room beyond their end.
void tail(const ConvCall& call) {
    const Index tiles = (call.columns + 4 * kTile - 1) / (4 * kTile) * 4;
    float* const points = call.scratch;
    float* const sums = points + Index{kPoints} * call.filter->input_blocks() * kTailGroup * kBlock;
    for (Index first = 0; first < tiles; first += kTailGroup) {
        const int count = static_cast<int>(tiles - first < kTailGroup ? tiles - first : kTailGroup);
        tail_points(call, first, count, points);
        if (count == 12) tail_products<12>(points, *call.filter, sums);
        if (count == 8) tail_products<8>(points, *call.filter, sums);
        if (count == 4) tail_products<4>(points, *call.filter, sums);
        for (int tile = 0; tile < count; tile += 4) {
            tail_from_points(call, (first + tile) * kTile, count, sums + tile * kBlock);
        }
    }
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
