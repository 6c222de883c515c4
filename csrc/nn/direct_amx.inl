// Convolutions in bf16 on AMX's tiles: one product takes 16 pixels by 32 values to 16 outputs. As
// they are written: Winograd's transforms would take longer than the products that they save.
#pragma once

#include "nn/finish.inl"

namespace rrt::nn::RRT_ISA {
namespace {

constexpr Index kPixels = 16;
// Columns that are made at once: their six rows of inputs should stay in the first-level cache.
constexpr Index kChunk = 96;
// What tiles read beyond a chunk: its last pixels, their right neighbours, and one in pairs.
constexpr Index kBeyond = kPixels + 3;
constexpr Index kTileFloats = 256;

/// The operand of LDTILECFG: all tiles whole.
struct TileShapes {
    std::uint8_t palette = 1;
    std::uint8_t unused[15] = {};
    std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

/// The compiler must not move what it knows of memory past instructions that it does not know.
RRT_INLINE void settle_memory() { __asm__ volatile("" ::: "memory"); }

/// Inputs in bf16, pixel by pixel: all channels of one lie together.
struct Inputs {
    const char* rows[kTile + 2];
    long pixel;  // bytes
};

/// Rows of `columns` pixels from `first` on, to bf16; blocks that make an even number are zeros.
template <int taps>
RRT_APART Inputs narrow(const ConvCall& call, Index first, Index columns) {
    constexpr int reach = taps / 2;
    const Filter& filter = *call.filter;
    const Index pixel = tile_inputs(filter) / 2;  // floats
    const Index row = (columns + kBeyond) * pixel;
    Inputs inputs{};
    inputs.pixel = static_cast<long>(pixel * 4);
    for (int y = 1 - reach; y < kTile + 1 + reach; ++y) {
        float* const target = call.scratch + y * row;
        inputs.rows[y] = reinterpret_cast<const char*>(target);
        for (int b = 0; b < filter.input_blocks(); ++b) {
            const float* const from =
                call.sources[y] + b * call.source_block + (first - reach) * kBlock;
            float* const to = target + b * kBlock / 2;
            for (Index x = 0; x < columns + 2 * reach; ++x) {
                _mm256_storeu_si256(
                    reinterpret_cast<__m256i*>(to + x * pixel),
                    reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(load(from + x * kBlock))));
            }
        }
        // Weights of zero do not make up for what is no number.
        const int odd = filter.input_blocks() % 2;
        const int blocks = filter.input_blocks();
        const bool pairs = blocks == 1;
        for (Index x = pairs ? columns + 2 * reach : 0; odd && x < columns + 2 * reach + pairs;
             ++x) {
            _mm256_storeu_ps(target + x * pixel + (pairs ? 0 : blocks * kBlock / 2),
                             _mm256_setzero_ps());
        }
    }
    return inputs;
}

/// Four rows of 16 pixels; `weights` are those of 16 outputs.
template <int taps>
RRT_APART void products(const Inputs& inputs, Index column, const Filter& filter,
                        const float* weights, float* sums) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const long pixel = inputs.pixel;
    const int steps = tile_steps(filter.taps, filter.input_blocks());
    for (int step = 0; step < steps; ++step, weights += taps * kTileFloats) {
        const long offset = tile_offset(filter, step) * 2 + column * pixel;
        const auto row = [&](int y)
                             __attribute__((always_inline)) { return inputs.rows[y] + offset; };
        _tile_loadd(5, weights, 64);
        if constexpr (taps == 1) {
            _tile_loadd(4, row(1), pixel);
            _tile_dpbf16ps(0, 4, 5);
            _tile_loadd(4, row(2), pixel);
            _tile_dpbf16ps(1, 4, 5);
            _tile_loadd(4, row(3), pixel);
            _tile_dpbf16ps(2, 4, 5);
            _tile_loadd(4, row(4), pixel);
            _tile_dpbf16ps(3, 4, 5);
        } else {
            _tile_loadd(6, weights + kTileFloats, 64);
            _tile_loadd(7, weights + 2 * kTileFloats, 64);
            _tile_loadd(4, row(0), pixel);
            _tile_dpbf16ps(0, 4, 5);
            _tile_loadd(4, row(1), pixel);
            _tile_dpbf16ps(1, 4, 5);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(4, row(2), pixel);
            _tile_dpbf16ps(2, 4, 5);
            _tile_dpbf16ps(1, 4, 6);
            _tile_dpbf16ps(0, 4, 7);
            _tile_loadd(4, row(3), pixel);
            _tile_dpbf16ps(3, 4, 5);
            _tile_dpbf16ps(2, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_loadd(4, row(4), pixel);
            _tile_dpbf16ps(3, 4, 6);
            _tile_dpbf16ps(2, 4, 7);
            _tile_loadd(4, row(5), pixel);
            _tile_dpbf16ps(3, 4, 7);
        }
    }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + kTileFloats, 64);
    _tile_stored(2, sums + 2 * kTileFloats, 64);
    _tile_stored(3, sums + 3 * kTileFloats, 64);
}

/// Up to 16 pixels of each row: bias, residual, activation.
RRT_INLINE void finish(const ConvCall& call, int channel, Index column, Index count,
                       const float* sums) {
    const Vec bias = load(call.filter->bias + channel);
    for (int y = 0; y < kTile; ++y) {
        if (call.targets[y] == nullptr) continue;
        const Ending ending = ending_of(call, y, channel);
        float* const target = call.targets[y] + channel / kBlock * call.target_block;
        const float* const from = sums + y * kTileFloats;
        for (Index x = 0; x < count; ++x) {
            const Vec value = ending(add(load(from + x * kBlock), bias), column + x);
            store(target + (column + x) * call.target_pixel, value);
        }
    }
}

template <int taps>
void convolve(const ConvCall& call) {
    const Filter& filter = *call.filter;
    const TileShapes shapes;
    alignas(64) float sums[kTile * kTileFloats];
    const Index block_weights =
        Index{tile_steps(filter.taps, filter.input_blocks())} * taps * kTileFloats;
    for (Index first = 0; first < call.columns; first += kChunk) {
        const Index columns = call.columns - first < kChunk ? call.columns - first : kChunk;
        const Inputs inputs = narrow<taps>(call, first, columns);
        settle_memory();
        _tile_loadconfig(&shapes);
        for (int channel = 0; channel < filter.outputs; channel += kBlock) {
            const float* const weights = filter.weights + channel / kBlock * block_weights;
            for (Index x = 0; x < columns; x += kPixels) {
                products<taps>(inputs, x, filter, weights, sums);
                settle_memory();
                const Index left = columns - x;
                finish(call, channel, first + x, left < kPixels ? left : kPixels, sums);
                settle_memory();
            }
        }
        _tile_release();
    }
}

void direct_on_tiles(const ConvCall& call) {
    if (call.filter->taps == 1) return convolve<1>(call);
    convolve<3>(call);
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
