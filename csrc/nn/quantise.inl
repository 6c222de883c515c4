// Between floats and bytes.
#pragma once

#include "nn/integers.inl"

namespace rrt::nn::RRT_ISA {
namespace {

/// Vectors that a pixel of `words` words takes in each block.
RRT_INLINE int lanes_of(int words) { return words == 1 ? 4 : kBlock; }

/// False: some value was NaN or infinite.
bool quantise_row(const ConvCall& call, const float* source, float* target, int channels) {
    const Quantisation& to = call.filter->result;
    // Divided, as ONNX has it: the reciprocal would round ties otherwise, which frames of bytes
    // make.
    const Vec scale = spread(to.scale);
    const Vec low = spread(static_cast<float>(-to.zero));
    const Vec high = spread(static_cast<float>(255 - to.zero));
    const Ints zero = spread_int(to.zero);
    bool finite = true;
    for (int lane = 0; lane < lanes_of(call.target_pixel); lane += kLanes) {
        // Becomes NaN with the first value that is not finite.
        Vec poison = spread(0.0f);
        for (Index x = 0; x < call.columns; ++x) {
            const Vec value = load(source + x * call.source_pixel + lane);
            poison = multiply_add(value, spread(0.0f), poison);
            const Vec steps = smaller(high, larger(divide(value, scale), low));
            const Ints bytes = add_ints(to_ints(steps), zero);
            float* const pixel = target + x * call.target_pixel + lane / 4;
            if (call.target_pixel == 1) {
                store_word(pixel, bytes);
            } else {
                store_bytes(pixel, bytes);
            }
        }
        float held[kLanes];
        store(held, poison);
        // Thin pixels leave other lanes to their neighbours.
        for (int i = 0; i < kLanes && lane + i < channels; ++i) finite = finite && held[i] == 0.0f;
    }
    return finite;
}

bool quantise(const ConvCall& call) {
    bool finite = true;
    for (int y = 0; y < kTile; ++y) {
        if (call.targets[y] == nullptr) continue;
        for (int b = 0; b < call.filter->input_blocks(); ++b) {
            const float* const source = call.sources[y + 1] + b * call.source_block;
            float* const target = call.targets[y] + b * call.target_block;
            const int channels = call.filter->inputs - b * kBlock;
            if (!quantise_row(call, source, target, channels)) finite = false;
        }
    }
    return finite;
}

/// Vectors may be wider than a pixel: they go from left to right, and rows have room.
void dequantise(const ConvCall& call) {
    const Quantisation& from = call.filter->source;
    const Vec scale = spread(from.scale);
    const Ints zero = spread_int(-from.zero);
    for (int y = 0; y < kTile; ++y) {
        if (call.targets[y] == nullptr) continue;
        for (int b = 0; b < call.filter->input_blocks(); ++b) {
            const float* const source = call.sources[y + 1] + b * call.source_block;
            float* const target = call.targets[y] + b * call.target_block;
            for (Index x = 0; x < call.columns; ++x) {
                for (int lane = 0; lane < lanes_of(call.source_pixel); lane += kLanes) {
                    const Ints bytes = load_bytes(source + x * call.source_pixel + lane / 4);
                    store(target + x * call.target_pixel + lane,
                          multiply(to_floats(add_ints(bytes, zero)), scale));
                }
            }
        }
    }
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
