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

/// Two of the six points down one column; which needs few registers at a time.
template <int pair>
RRT_INLINE void column_to_points(const float* const rows[6], Index offset, Vec& first,
                                 Vec& second) {
    const Vec row1 = load(rows[1] + offset);
    const Vec row2 = load(rows[2] + offset);
    const Vec row3 = load(rows[3] + offset);
    const Vec row4 = load(rows[4] + offset);
    if (pair == 0) {
        const Vec sum = spread(2.5f);
        first = add(subtract_product(sum, row2, load(rows[0] + offset)), row4);
        second = add(subtract_product(sum, row3, row1), load(rows[5] + offset));
        return;
    }
    const Vec square = spread(pair == 1 ? 2.0f : 0.5f);
    const Vec point = spread(pair == 1 ? kSmallPoint : kLargePoint);
    const Vec even = subtract_product(square, row2, row4);
    const Vec odd = subtract_product(square, row1, row3);
    first = multiply_add(point, odd, even);
    second = subtract_product(point, odd, even);
}

template <int pair, class Keep>
RRT_INLINE void tile_to_points(const float* const rows[6], Index tile, Keep keep) {
    constexpr int first_row = pair == 0 ? 0 : 2 * pair - 1;
    constexpr int second_row = pair == 0 ? 5 : 2 * pair;
    Vec first[6];
    Vec second[6];
    RRT_UNROLL
    for (int x = 0; x < 6; ++x) {
        column_to_points<pair>(rows, (tile * kTile + x - 1) * kBlock, first[x], second[x]);
    }
    Vec out[6];
    to_points(first, out);
    keep(first_row, out);
    to_points(second, out);
    keep(second_row, out);
}

/// Tiles [0, count): keep(tile, y, points) takes a row of the results of one vector of channels.
template <class Keep>
RRT_INLINE void group_to_points(const float* const rows[6], int count, Keep keep) {
    for (int tile = 0; tile < count; ++tile) {
        const auto keep_row = [&](int y, const Vec* values) { keep(tile, y, values); };
        tile_to_points<0>(rows, tile, keep_row);
        tile_to_points<1>(rows, tile, keep_row);
        tile_to_points<2>(rows, tile, keep_row);
    }
}

/// Rows 0 and 2, or 1 and 3, of one tile's outputs down one column of its products.
template <int parity, Index step>
RRT_INLINE void column_from_points(const float* products, Vec& upper, Vec& lower) {
    const Vec small = load(products + 6 * step);
    const Vec small_minus = load(products + 12 * step);
    const Vec large = load(products + 18 * step);
    const Vec large_minus = load(products + 24 * step);
    if (parity == 0) {
        const Vec even_a = add(small, small_minus);
        const Vec even_b = add(large, large_minus);
        upper = add(add(load(products), even_a), even_b);
        lower = multiply(spread(0.5f), multiply_add(spread(4.0f), even_b, even_a));
        return;
    }
    const Vec odd_a = subtract(small, small_minus);
    const Vec odd_b = subtract(large, large_minus);
    upper = multiply(spread(kSmallPoint), multiply_add(spread(2.0f), odd_b, odd_a));
    lower = multiply_add(spread(0.5f * kSmallPoint), multiply_add(spread(8.0f), odd_b, odd_a),
                         load(products + 30 * step));
}

/// One tile's outputs from its products, `step` floats from point to point: keep(y, outputs).
template <int parity, Index step, class Keep>
RRT_INLINE void rows_from_points(const float* products, Keep keep) {
    Vec upper[6];
    Vec lower[6];
    RRT_UNROLL
    for (int x = 0; x < 6; ++x) {
        column_from_points<parity, step>(products + x * step, upper[x], lower[x]);
    }
    Vec out[kTile];
    from_points(upper, out);
    keep(parity, out);
    from_points(lower, out);
    keep(parity + 2, out);
}

template <Index step, class Keep>
RRT_INLINE void tile_from_points(const float* products, Keep keep) {
    rows_from_points<0, step>(products, keep);
    rows_from_points<1, step>(products, keep);
}

template <bool plain, Index step>
RRT_INLINE void finish_tile(const float* products, Vec bias, float* const targets[kTile],
                            const Ending endings[kTile], Index column) {
    tile_from_points<step>(products, [&](int y, const Vec* out) {
        if (targets[y] == nullptr) return;
        RRT_UNROLL
        for (int x = 0; x < kTile; ++x) {
            const Vec sum = add(out[x], bias);
            store(targets[y] + (column + x) * kBlock,
                  plain ? larger(spread(0.0f), sum) : endings[y](sum, column + x));
        }
    });
}

/// The vector that begins with output channel `channel`, of tiles [first, first + count).
template <Index step>
RRT_APART void group_from_points(const ConvCall& call, int channel, Index first, int count,
                                 const float* products) {
    constexpr Index pixel = kBlock;
    const Vec bias = load(call.filter->bias + channel);
    float* targets[kTile];
    Ending endings[kTile];
    for (int y = 0; y < kTile; ++y) {
        endings[y] = ending_of(call, y, channel);
        targets[y] = call.targets[y];
        if (targets[y] == nullptr) continue;
        targets[y] += channel / kBlock * call.target_block + channel % kBlock;
    }
    if (is_plain(call)) {
        for (int tile = 0; tile < count; ++tile) {
            finish_tile<true, step>(products + tile * pixel, bias, targets, endings,
                                    (first + tile) * kTile);
        }
        return;
    }
    for (int tile = 0; tile < count; ++tile) {
        finish_tile<false, step>(products + tile * pixel, bias, targets, endings,
                                 (first + tile) * kTile);
    }
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
