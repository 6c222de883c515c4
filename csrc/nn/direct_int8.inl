// Convolutions of bytes, as direct.inl has them of floats: each word that is broadcast holds four
// inputs. Sums are exact, and what follows is rounded the same way on every instruction set.
#pragma once

#include "nn/finish.inl"
#include "nn/integers.inl"

namespace rrt::nn::RRT_ISA {
namespace {

constexpr int kBlockWords = kBlock / 4;

/// From the sums of one vector of output channels to real numbers, or to bytes.
struct Requantisation {
    Vec scale;
    Vec low;
    Vec high;
    Ints zero;
    Vec step;

    /// Whole numbers of the result's steps.
    RRT_INLINE Vec steps(Ints sums) const {
        // NaN, in the first place, does not go through.
        return smaller(high, larger(scaled(sums), low));
    }
    RRT_INLINE Vec scaled(Ints sums) const { return multiply(to_floats(sums), scale); }
    RRT_INLINE Vec rounded(Ints sums) const {
        return multiply(to_floats(to_ints(steps(sums))), step);
    }
    RRT_INLINE Ints bytes(Ints sums) const { return add_ints(to_ints(steps(sums)), zero); }
};

RRT_INLINE Requantisation requantisation_of(const Filter& filter, int channel) {
    const Quantisation& result = filter.result;
    const float least = static_cast<float>(-result.zero);
    // ReLU may come after the rounding as well as before it: 0 stays 0.
    const bool relu = filter.bytes && filter.finish == Finish::relu;
    return {load(filter.scales + channel), spread(relu ? 0.0f : least), spread(255.0f + least),
            spread_int(result.zero), spread(result.scale)};
}

/// What a tile of one row's pixels reads.
struct Int8Tile {
    const float* const* rows;
    const float* weights;
    Ints start;
    int words;
    Index block;
};

/// Apart from what follows: its constants would take the sums' registers.
template <int pixels, int taps, int stride>
RRT_APART void int8_sums(const Int8Tile& tile, Index column, Ints* out) {
    constexpr int reach = taps / 2;
    const float* weights = tile.weights;
    Ints sums[pixels];
    RRT_UNROLL
    for (int x = 0; x < pixels; ++x) sums[x] = tile.start;
    for (int y = 0; y < taps; ++y) {
        int left = tile.words;
        for (const float* block = tile.rows[y] + column * stride; left > 0;
             block += tile.block, left -= kBlockWords) {
            const int words = left < kBlockWords ? left : kBlockWords;
            for (int c = 0; c < words; ++c) {
                Weights tap[taps];
                RRT_UNROLL
                for (int k = 0; k < taps; ++k) tap[k] = load_weights(weights + k * kBlock);
                weights += taps * kBlock;
                RRT_UNROLL
                for (int x = -reach; x < pixels + reach; ++x) {
                    const Word word = spread_word(block + x * stride + c);
                    RRT_UNROLL
                    for (int k = 0; k < taps; ++k) {
                        const int at = x + reach - k;
                        if (at >= 0 && at < pixels) sums[at] = dot(sums[at], word, tap[k]);
                    }
                }
            }
        }
    }
    RRT_UNROLL
    for (int x = 0; x < pixels; ++x) out[x] = sums[x];
}

/// From sums to the target, which is the row's at the vector's channels.
RRT_APART void int8_finish(const ConvCall& call, const Ints* sums, int pixels,
                           const Requantisation& to, float* target, Index column,
                           const Ending& ending) {
    float* const first = target + column * call.target_pixel;
    if (!call.filter->bytes) {
        const bool rounds = static_cast<bool>(call.filter->result);
        for (int x = 0; x < pixels; ++x) {
            const Vec value = rounds ? to.rounded(sums[x]) : to.scaled(sums[x]);
            store(first + x * call.target_pixel, ending(value, column + x));
        }
    } else if (call.target_pixel == 1) {
        for (int x = 0; x < pixels; ++x) store_word(first + x, to.bytes(sums[x]));
    } else {
        for (int x = 0; x < pixels; ++x) store_bytes(first + x * kBlockWords, to.bytes(sums[x]));
    }
}

template <int taps, int stride>
void int8_rows(const ConvCall& call) {
    const Filter& filter = *call.filter;
    const Index block = Index{filter.input_words()} * taps * taps * kBlock;
    Ints sums[kInt8Pixels];
    for (int channel = 0; channel < filter.outputs; channel += kLanes) {
        // Of a vector's outputs each has its own word of weights, and in the target a float or
        // byte.
        const float* const weights = filter.weights + channel / kBlock * block + channel % kBlock;
        const Index lane = filter.bytes ? channel % kBlock / 4 : channel % kBlock;
        const Requantisation to = requantisation_of(filter, channel);
        for (int y = 0; y < kTile; ++y) {
            if (call.targets[y] == nullptr) continue;
            const Ending ending = ending_of(call, y, channel);
            const Int8Tile tile{call.sources + y + 1 - taps / 2, weights,
                                load_ints(filter.starts + channel), filter.input_words(),
                                call.source_block};
            float* const target = call.targets[y] + channel / kBlock * call.target_block + lane;
            if (call.columns < kInt8Pixels) {
                for (Index x = 0; x < call.columns; ++x) {
                    int8_sums<1, taps, stride>(tile, x, sums);
                    int8_finish(call, sums, 1, to, target, x, ending);
                }
                continue;
            }
            // The last tile is moved back to end with the row; it makes some pixels again.
            for (Index at = 0; at < call.columns; at += kInt8Pixels) {
                const Index last = call.columns - kInt8Pixels;
                const Index x = at < last ? at : last;
                int8_sums<kInt8Pixels, taps, stride>(tile, x, sums);
                int8_finish(call, sums, kInt8Pixels, to, target, x, ending);
            }
        }
    }
}

void direct_int8(const ConvCall& call) {
    const bool thin = call.source_pixel == 1;
    if (call.filter->taps == 1) return thin ? int8_rows<1, 1>(call) : int8_rows<1, 4>(call);
    return thin ? int8_rows<3, 1>(call) : int8_rows<3, 4>(call);
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
