// Enlargement of a value by a whole number, one row.
#pragma once

#include <algorithm>

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

/// Blocks of channels that are whole in source and target are copied as they are.
void resize_shuffle_blocks(const ResizeCall& call) {
    for (int block = 0; block < call.blocks; ++block) {
        float* const target = call.target + block * call.target_block;
        for (int place = 0; place < call.factor; ++place) {
            const Index from = (call.row * call.factor + place) * call.blocks + block;
            const float* const source = call.sources[0] + from * call.source_block;
            const Index begin = call.columns.begin - place + call.factor - 1;
            Index x = begin / call.factor;
            for (Index to = x * call.factor + place; to < call.columns.end; to += call.factor) {
                std::copy_n(source + x * kBlock, kBlock, target + to * kBlock);
                ++x;
            }
        }
    }
}

void resize_shuffle(const ResizeCall& call) {
    if (call.made % kBlock == 0 && call.source_pixel == kBlock) return resize_shuffle_blocks(call);
    for (Index x = call.columns.begin; x < call.columns.end; ++x) {
        const float* const source = call.sources[0] + x / call.factor * call.source_pixel;
        const Index first = (call.row * call.factor + x % call.factor) * call.made;
        for (int c = 0; c < call.blocks * kBlock; ++c) {
            const Index from = first + c;
            call.target[c / kBlock * call.target_block + x * kBlock + c % kBlock] =
                c < call.made ? source[from / kBlock * call.source_block + from % kBlock] : 0.0f;
        }
    }
}

void resize(const ResizeCall& call) {
    if (call.how == Enlargement::bilinear) return resize_bilinear(call);
    if (call.how == Enlargement::shuffle) return resize_shuffle(call);
    resize_nearest(call);
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
