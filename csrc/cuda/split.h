// Frame to tiles, as one thread does it: pad, convert, normalise, interleaved to planar.
#pragma once

#include "cuda/pixels.h"

namespace rrt::cuda {

/// A thread fills `kPixels` pixels of a tile's row in all channels, 16 bytes of each.
template <class S, class R, int channels>
struct SplitWork {
    static constexpr int kPixels = 16 / static_cast<int>(sizeof(R));

    SplitJob job;
    Levels levels;
    Extent extent;

    RRT_HOST_DEVICE void operator()(Index slot, Index y, Index group) const {
        const Axis& across = job.grid.x;
        const Axis& down = job.grid.y;
        const FrameView& frame = job.frame;
        const auto tile = static_cast<std::uint32_t>(job.first + slot);
        const auto columns = static_cast<std::uint32_t>(across.count);
        const Index row = down.source(down.start(tile / columns) + y);
        const Index begin = group * kPixels;
        const Index left = across.start(tile % columns) + begin;
        const S* const source = static_cast<const S*>(frame.data) + row * frame.row;
        R* const target = static_cast<R*>(job.tiles.data) + job.tiles.offset(slot, 0, y) + begin;
        const Index plane = job.tiles.height * job.tiles.width;
        const Index count = job.tiles.width - begin < kPixels ? job.tiles.width - begin : kPixels;

        if (count == kPixels && left + kPixels <= across.spec.length &&
            is_packed<channels>(frame)) {
            Run<S, kPixels * channels> samples;
            load(samples, source + left * channels, extent);
            RRT_UNROLL
            for (int c = 0; c < channels; ++c) {
                Run<R, kPixels> values;
                RRT_UNROLL
                for (int i = 0; i < kPixels; ++i) {
                    values.items[i] = convert(samples.items[i * channels + c]);
                }
                store(target + c * plane, values);
            }
            return;
        }
        for (Index i = 0; i < count; ++i) {
            const S* const pixel = source + across.source(left + i) * frame.column;
            RRT_UNROLL
            for (int c = 0; c < channels; ++c) {
                target[c * plane + i] = convert(pixel[c * frame.channel]);
            }
        }
    }

  private:
    RRT_HOST_DEVICE R convert(S sample) const {
        const float value = read_sample(sample, job.frame.shift) / job.peak;
        return to_real<R>(levels.of_sample(value));
    }
};

}  // namespace rrt::cuda
