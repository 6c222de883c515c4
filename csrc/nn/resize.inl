// Enlargement of a value by a whole number, one row.
#pragma once

#include "nn/vectors.inl"

namespace rrt::nn::RRT_ISA {
namespace {

void resize_nearest(const ResizeCall& call) {
    for (int block = 0; block < call.blocks; ++block) {
        const float* const source = call.sources[0] + block * call.source_block;
        float* const target = call.target + block * call.target_block;
        for (Index x = call.columns.begin; x < call.columns.end; ++x) {
            const float* const from = source + x / call.factor * call.pixel;
            for (int c = 0; c < call.channels; ++c) target[x * call.pixel + c] = from[c];
        }
    }
}

void resize_bilinear(const ResizeCall& call) {
    const float step = 1.0f / static_cast<float>(call.factor);
    for (Index x = call.columns.begin; x < call.columns.end; ++x) {
        const float wanted = (static_cast<float>(x % call.factor) + 0.5f) * step - 0.5f;
        const Index first = x / call.factor - (wanted < 0.0f ? 1 : 0);
        const float weight = wanted < 0.0f ? wanted + 1.0f : wanted;
        const Index left = first < 0 ? 0 : first;
        const Index right = first + 1 < call.source_width ? first + 1 : call.source_width - 1;
        for (int block = 0; block < call.blocks; ++block) {
            const float* const above = call.sources[0] + block * call.source_block;
            const float* const below = call.sources[1] + block * call.source_block;
            float* const target = call.target + block * call.target_block + x * call.pixel;
            for (int c = 0; c < call.channels; ++c) {
                const Index a = left * call.pixel + c;
                const Index b = right * call.pixel + c;
                const float top = above[a] + weight * (above[b] - above[a]);
                const float bottom = below[a] + weight * (below[b] - below[a]);
                target[c] = top + call.weight * (bottom - top);
            }
        }
    }
}

void resize(const ResizeCall& call) {
    if (call.linear) return resize_bilinear(call);
    resize_nearest(call);
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
