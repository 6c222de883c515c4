// Bicubic enlargement of chroma by a whole number, as one thread does it: one plane, or two that
// are interleaved.
#pragma once

#include "core/taps.h"
#include "cuda/pixels.h"

namespace rrt::cuda {

/// A thread writes the output samples of `kColumns` source columns in one row, all channels.
template <class S, int channels>
struct UpsampleWork {
    static constexpr int kColumns = 4;
    static constexpr int kMargin = 2;

    UpsampleJob job;
    Taps down[kMaxUpsample];
    Taps across[kMaxUpsample];

    RRT_HOST_DEVICE void operator()(Index, Index y, Index group) const {
        const Index first = group * kColumns;
        if (job.scale == 1) return copy(y, first);
        float lines[channels][kColumns + 2 * kMargin];
        RRT_UNROLL
        for (int c = 0; c < channels; ++c) read_line(y, first, c, lines[c]);
        if (job.scale == 2 && is_packed<channels>(job.target) &&
            2 * (first + kColumns) <= job.target.width) {
            Run<S, 2 * kColumns * channels> samples;
            RRT_UNROLL
            for (int r = 0; r < 2; ++r) {
                RRT_UNROLL
                for (int i = 0; i < kColumns; ++i) {
                    RRT_UNROLL
                    for (int c = 0; c < channels; ++c) {
                        samples.items[(2 * i + r) * channels + c] = make(lines[c], i, across[r]);
                    }
                }
            }
            store(at<S>(job.target, y, 2 * first, 0), samples);
            return;
        }
        for (int r = 0; r < job.scale; ++r) {
            RRT_UNROLL
            for (int i = 0; i < kColumns; ++i) {
                const Index x = (first + i) * job.scale + r;
                if (x >= job.target.width) continue;
                RRT_UNROLL
                for (int c = 0; c < channels; ++c) {
                    *at<S>(job.target, y, x, c) = make(lines[c], i, across[r]);
                }
            }
        }
    }

  private:
    template <class T>
    RRT_HOST_DEVICE static T* at(const FrameView& frame, Index y, Index x, int c) {
        return static_cast<T*>(frame.data) + y * frame.row + x * frame.column + c * frame.channel;
    }

    RRT_HOST_DEVICE void copy(Index y, Index first) const {
        for (Index x = first; x < first + kColumns && x < job.target.width; ++x) {
            RRT_UNROLL
            for (int c = 0; c < channels; ++c) {
                *at<S>(job.target, y, x, c) = *at<const S>(job.source, y, x, c);
            }
        }
    }

    /// Source columns from first - kMargin on, weighed down the rows; the frame's edges repeat.
    RRT_HOST_DEVICE void read_line(Index y, Index first, int c,
                                   float (&line)[kColumns + 2 * kMargin]) const {
        const FrameView& source = job.source;
        const auto scale = static_cast<std::uint32_t>(job.scale);
        const auto target_row = static_cast<std::uint32_t>(y);
        const Taps& taps = down[target_row % scale];
        const Index row = target_row / scale + taps.first;
        RRT_UNROLL
        for (int i = 0; i < kColumns + 2 * kMargin; ++i) {
            const Index x = clamp_index(first - kMargin + i, source.width);
            float values[4];
            RRT_UNROLL
            for (int k = 0; k < 4; ++k) {
                const Index from = clamp_index(row + k, source.height);
                values[k] = read_sample(*at<const S>(source, from, x, c), source.shift);
            }
            line[i] = weigh(taps, values[0], values[1], values[2], values[3]);
        }
    }

    RRT_HOST_DEVICE S make(const float (&line)[kColumns + 2 * kMargin], int i,
                           const Taps& taps) const {
        // By a choice, not an index that only the running program knows: the line is in registers.
        const bool early = taps.first == -2;
        const float value =
            weigh(taps, early ? line[i] : line[i + 1], early ? line[i + 1] : line[i + 2],
                  early ? line[i + 2] : line[i + 3], early ? line[i + 3] : line[i + 4]);
        if constexpr (sizeof(S) == sizeof(float)) {
            return value;
        } else {
            return static_cast<S>(quantise<S>(value, job.peak) << job.target.shift);
        }
    }
};

}  // namespace rrt::cuda
