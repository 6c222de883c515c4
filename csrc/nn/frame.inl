// Between frames and values: one row, converted on the way.
#pragma once

#include "cpu/colour.inl"
#include "cpu/rows.inl"

namespace rrt::nn::RRT_ISA {
namespace {

using cpu::RRT_ISA::colour_row;
using cpu::RRT_ISA::kChunk;
using cpu::RRT_ISA::luma_of;
using cpu::RRT_ISA::luma_run;
using cpu::RRT_ISA::normalise;
using cpu::RRT_ISA::store_pixels;

template <class S>
void load_as(const LoadCall& call) {
    const FrameView& frame = call.frame;
    if (call.luma) return luma_run<S>(call.target, frame, call.row, call.columns, call.peak);
    const Index n = call.columns.size();
    const S* const source = static_cast<const S*>(frame.data) + call.row * frame.row +
                            call.columns.begin * frame.column;
    if (frame.channels == 1 || (frame.channel == 1 && frame.column == frame.channels)) {
        return normalise(call.target, source, frame.channels == 1 ? frame.column : 1,
                         n * frame.channels, call.peak);
    }
    float run[kChunk];
    for (Index x = 0; x < n; x += kChunk) {
        const Index size = n - x < kChunk ? n - x : kChunk;
        for (int c = 0; c < frame.channels; ++c) {
            normalise(run, source + x * frame.column + c * frame.channel, frame.column, size,
                      call.peak);
            float* const target = call.target + x * frame.channels + c;
            for (Index i = 0; i < size; ++i) target[i * frame.channels] = run[i];
        }
    }
}

/// Channels of the pixels of each block, in the order of PixelUnshuffle.
template <class S>
void load_blocks_as(const LoadCall& call) {
    const FrameView& frame = call.frame;
    const Index side = call.unshuffle;
    const Index n = call.columns.size();
    const Index whole = call.multiple;
    const auto padded = [whole](Index length) { return (length + whole - 1) / whole * whole; };
    const auto sample = [&](const S* pixel) {
        const auto value = [&](int c) {
            return static_cast<float>(pixel[c * frame.channel]) / call.peak;
        };
        if (!call.luma) return value(0);
        const float green = value(1);
        return luma_of(value(0) - green, value(2) - green, green);
    };
    Index channel = 0;
    const auto target = [&] {
        return call.target + channel / kBlock * call.block + channel % kBlock;
    };
    for (int c = 0; c < (call.luma ? 1 : frame.channels); ++c) {
        for (Index place = 0; place < side * side; ++place, ++channel) {
            const Index y =
                reflected(call.row * side + place / side, frame.height, padded(frame.height));
            const S* const row =
                static_cast<const S*>(frame.data) + y * frame.row + c * frame.channel;
            float* const to = target();
            Index x = call.columns.begin * side + place % side;
            for (Index i = 0; i < n; ++i, x += side) {
                const Index at = reflected(x, frame.width, padded(frame.width));
                to[i * kBlock] = sample(row + at * frame.column);
            }
        }
    }
    // What the memory held before may be no number, which a weight of zero does not remove.
    for (; channel % kBlock != 0; ++channel) {
        float* const to = target();
        for (Index i = 0; i < n; ++i) to[i * kBlock] = 0.0f;
    }
}

template <class S>
void load_from(const LoadCall& call) {
    if (call.multiple > 1) return load_blocks_as<S>(call);
    load_as<S>(call);
}

void load_row(const LoadCall& call) {
    if (call.frame.sample == Sample::u8) return load_from<std::uint8_t>(call);
    if (call.frame.sample == Sample::u16) return load_from<std::uint16_t>(call);
    load_from<float>(call);
}

template <class S, int shuffle>
bool store_as(const StoreCall& call) {
    const FrameView& frame = call.frame;
    Finite finite;
    const int channels = call.colour == nullptr ? frame.channels : 1;
    constexpr Index most = kChunk / shuffle;
    float scratch[kMaxChannels][kChunk];
    const float* runs[kMaxChannels];
    for (Index x = call.columns.begin; x < call.columns.end; x += most) {
        const Index left = call.columns.end - x;
        const Index size = left < most ? left : most;
        const float* const source = call.source + (x - call.columns.begin) * call.pixel;
        // The value may go on beyond the frame: blocks of an unshuffle were filled up.
        const Index room = frame.width - x * shuffle;
        const Index columns = size * shuffle < room ? size * shuffle : room;
        for (int y = 0; y < shuffle && call.row * shuffle + y < frame.height; ++y) {
            for (int c = 0; c < channels; ++c) {
                float* const run = scratch[c];
                for (int j = 0; j < shuffle; ++j) {
                    const int channel = ((call.first + c) * shuffle + y) * shuffle + j;
                    const float* const from =
                        source + channel / kBlock * call.block + channel % kBlock;
                    for (Index i = 0; i < size; ++i) {
                        run[i * shuffle + j] = from[i * call.pixel] + call.added;
                    }
                }
                runs[c] = run;
            }
            if (call.colour != nullptr) {
                const Span made{x * shuffle, x * shuffle + columns};
                colour_row<S>(*call.colour, call.row * shuffle + y, made, runs[0], finite);
                continue;
            }
            S* const target = static_cast<S*>(frame.data) + (call.row * shuffle + y) * frame.row +
                              x * shuffle * frame.column;
            store_pixels<S>(target, frame.column, frame.channel, frame.channels, runs, columns,
                            call.peak, finite);
        }
    }
    return finite;
}

template <class S>
bool store_to(const StoreCall& call) {
    if (call.shuffle == 1) return store_as<S, 1>(call);
    if (call.shuffle == 2) return store_as<S, 2>(call);
    if (call.shuffle == 3) return store_as<S, 3>(call);
    if (call.shuffle == 4) return store_as<S, 4>(call);
    if (call.shuffle == 6) return store_as<S, 6>(call);
    return store_as<S, 8>(call);
}

bool store_row(const StoreCall& call) {
    if (call.frame.sample == Sample::u8) return store_to<std::uint8_t>(call);
    if (call.frame.sample == Sample::u16) return store_to<std::uint16_t>(call);
    return store_to<float>(call);
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
