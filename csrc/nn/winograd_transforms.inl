// Winograd's F(4x4, 3x3) (Lavin and Gray 2016, arXiv 1509.09308), its transforms of activations.
// The points are 0, +-1/sqrt(2), +-sqrt(2) and infinity: with them the factors stay near 1, which
// bf16 rewards. packing.cpp transforms the weights.
#pragma once

#include "nn/finish.inl"

namespace rrt::nn::RRT_ISA {
namespace {

constexpr float kSmallPoint = 0.70710678118654752f;
constexpr float kLargePoint = 1.41421356237309505f;

/// Six neighbours to the six points.
RRT_INLINE void to_points(const Vec in[6], Vec out[6]) {
    const Vec a = spread(kSmallPoint);
    const Vec b = spread(kLargePoint);
    const Vec half = spread(0.5f);
    const Vec two = spread(2.0f);
    const Vec sum = spread(2.5f);
    const Vec even_a = subtract_product(two, in[2], in[4]);
    const Vec odd_a = subtract_product(two, in[1], in[3]);
    const Vec even_b = subtract_product(half, in[2], in[4]);
    const Vec odd_b = subtract_product(half, in[1], in[3]);
    out[0] = add(subtract_product(sum, in[2], in[0]), in[4]);
    out[1] = multiply_add(a, odd_a, even_a);
    out[2] = subtract_product(a, odd_a, even_a);
    out[3] = multiply_add(b, odd_b, even_b);
    out[4] = subtract_product(b, odd_b, even_b);
    out[5] = add(subtract_product(sum, in[3], in[1]), in[5]);
}

/// Six points to four outputs.
RRT_INLINE void from_points(const Vec in[6], Vec out[4]) {
    const Vec a = spread(kSmallPoint);
    const Vec half = spread(0.5f);
    const Vec two = spread(2.0f);
    const Vec four = spread(4.0f);
    const Vec even_a = add(in[1], in[2]);
    const Vec odd_a = subtract(in[1], in[2]);
    const Vec even_b = add(in[3], in[4]);
    const Vec odd_b = subtract(in[3], in[4]);
    out[0] = add(add(in[0], even_a), even_b);
    // b = 2a, a^2 = 1/2, b^2 = 2
    out[1] = multiply(a, multiply_add(two, odd_b, odd_a));
    out[2] = multiply(half, multiply_add(four, even_b, even_a));
    out[3] = multiply_add(multiply(a, half), multiply_add(spread(8.0f), odd_b, odd_a), in[5]);
}

using Column = Vec[6];

/// The points of one column down its six rows.
RRT_INLINE void column_to_points(const float* const rows[6], Index offset, Column points) {
    Vec in[6];
    RRT_UNROLL
    for (int y = 0; y < 6; ++y) in[y] = load(rows[y] + offset);
    to_points(in, points);
}

/// Tile `tile`, whose first two columns the one before it made: columns go round a ring of eight.
/// `keep(point, values)` takes the 36 results.
template <int parity, class Keep>
RRT_INLINE void tile_to_points(const float* const rows[6], Index tile, Column* ring, Keep keep) {
    RRT_UNROLL
    for (int x = 2; x < 6; ++x) {
        column_to_points(rows, (tile * kTile + x - 1) * kBlock, ring[(parity * kTile + x) & 7]);
    }
    RRT_UNROLL
    for (int y = 0; y < 6; ++y) {
        Vec in[6];
        Vec out[6];
        RRT_UNROLL
        for (int x = 0; x < 6; ++x) in[x] = ring[(parity * kTile + x) & 7][y];
        to_points(in, out);
        RRT_UNROLL
        for (int x = 0; x < 6; ++x) keep(y * 6 + x, out[x]);
    }
}

/// Tiles [0, count): keep(tile, point, values) takes the results of one vector of channels.
template <class Keep>
RRT_INLINE void group_to_points(const float* const rows[6], int count, Keep keep) {
    Column ring[8];
    column_to_points(rows, -kBlock, ring[0]);
    column_to_points(rows, 0, ring[1]);
    for (int tile = 0; tile < count; tile += 2) {
        tile_to_points<0>(rows, tile, ring,
                          [&](int point, Vec values) { keep(tile, point, values); });
        if (tile + 1 == count) break;
        tile_to_points<1>(rows, tile + 1, ring,
                          [&](int point, Vec values) { keep(tile + 1, point, values); });
    }
}

/// One tile's outputs from its products, `step` floats from point to point.
template <bool plain>
RRT_INLINE void tile_from_points(const float* products, Index step, Vec bias,
                                 float* const targets[kTile], const Ending endings[kTile],
                                 Index column) {
    Vec down[kTile][6];
    RRT_UNROLL
    for (int x = 0; x < 6; ++x) {
        Vec in[6];
        Vec out[kTile];
        RRT_UNROLL
        for (int y = 0; y < 6; ++y) in[y] = load(products + (y * 6 + x) * step);
        from_points(in, out);
        RRT_UNROLL
        for (int y = 0; y < kTile; ++y) down[y][x] = out[y];
    }
    RRT_UNROLL
    for (int y = 0; y < kTile; ++y) {
        if (targets[y] == nullptr) continue;
        Vec out[kTile];
        from_points(down[y], out);
        RRT_UNROLL
        for (int x = 0; x < kTile; ++x) {
            const Vec sum = add(out[x], bias);
            store(targets[y] + (column + x) * kBlock,
                  plain ? larger(sum, spread(0.0f)) : endings[y](sum, column + x));
        }
    }
}

/// The vector that begins with output channel `channel`, of tiles [first, first + count).
RRT_APART void group_from_points(const ConvCall& call, int channel, Index first, int count,
                                 const float* products) {
    constexpr Index pixel = kBlock;
    const Index step = count * pixel;
    const Vec bias = load(call.filter->bias + channel);
    float* targets[kTile];
    Ending endings[kTile];
    for (int y = 0; y < kTile; ++y) {
        endings[y] = ending_of(call, y, channel);
        targets[y] = call.targets[y];
        if (targets[y] == nullptr) continue;
        targets[y] += channel / kBlock * call.target_block + channel % kBlock;
    }
    if (call.filter->finish == Finish::relu && call.residuals[0] == nullptr) {
        for (int tile = 0; tile < count; ++tile) {
            tile_from_points<true>(products + tile * pixel, step, bias, targets, endings,
                                   (first + tile) * kTile);
        }
        return;
    }
    for (int tile = 0; tile < count; ++tile) {
        tile_from_points<false>(products + tile * pixel, step, bias, targets, endings,
                                (first + tile) * kTile);
    }
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
