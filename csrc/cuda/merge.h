// Tiles to frame, as one thread does it: drop the halo, feather, clamp, round, planar to
// interleaved. It gathers: one write to each output pixel.
#pragma once

#include "cuda/pixels.h"

namespace rrt::cuda {

/// A thread writes up to `kPixels` pixels of one row, those that one tile's piece has of them.
template <class S, class R, int channels>
struct MergeWork {
    static constexpr int kRead = 16 / static_cast<int>(sizeof(R));
    static constexpr int kWritten = 16 / static_cast<int>(sizeof(S));
    // Sixteen bytes each way for a plane; several channels fill them with fewer pixels.
    static constexpr int kPixels = channels == 1 && kWritten > kRead ? kWritten : kRead;

    MergeJob job;
    Levels levels;
    Extent extent;
    Span tile_rows;
    std::uint32_t* flag;

    /// `piece` counts the tiles of tile_rows; y counts rows of the piece, groups begin at
    /// multiples of kPixels in the frame.
    RRT_HOST_DEVICE void operator()(Index piece, Index y, Index group) const {
        const Axis& across = job.grid.x;
        const Axis& down = job.grid.y;
        const auto columns = static_cast<std::uint32_t>(across.count);
        const auto number = static_cast<std::uint32_t>(piece);
        const Index column = number % columns;
        const Index tile_row = tile_rows.begin + number / columns;
        const Span rows = down.piece(tile_row);
        const Span pixels = across.piece(column);
        const Index row = rows.begin + y;
        const Index first = pixels.begin / kPixels * kPixels + group * kPixels;
        const Index begin = first < pixels.begin ? pixels.begin : first;
        const Index end = first + kPixels < pixels.end ? first + kPixels : pixels.end;
        if (row >= rows.end || begin >= end) return;

        const Rows later = rows_of(tile_row, column, row, across.ramp(column));
        const Span ramp = down.ramp(tile_row);
        const bool blends = ramp.contains(row);
        // Where nothing is blended it is not read.
        const Rows earlier = blends ? rows_of(tile_row - 1, column, row, later.ramp) : later;
        const float weight = blends ? ramp_weight(row - ramp.begin, ramp.size()) : 1.0f;

        Finite finite;
        S* const target = static_cast<S*>(job.frame.data) + row * job.frame.row;
        if (end - begin == kPixels && is_packed<channels>(job.frame)) {
            Run<S, kPixels * channels> samples;
            RRT_UNROLL
            for (int c = 0; c < channels; ++c) {
                float values[kPixels];
                read_run(later, first, c, values);
                if (blends) {
                    float above[kPixels];
                    read_run(earlier, first, c, above);
                    RRT_UNROLL
                    for (int i = 0; i < kPixels; ++i) {
                        values[i] = blend(above[i], values[i], weight);
                    }
                }
                RRT_UNROLL
                for (int i = 0; i < kPixels; ++i) {
                    samples.items[i * channels + c] = sample_of(values[i], finite);
                }
            }
            store(target + first * channels, samples);
        } else {
            for (Index x = begin; x < end; ++x) {
                S* const pixel = target + x * job.frame.column;
                RRT_UNROLL
                for (int c = 0; c < channels; ++c) {
                    float value = read(later, x, c);
                    if (blends) value = blend(read(earlier, x, c), value, weight);
                    pixel[c * job.frame.channel] = sample_of(value, finite);
                }
            }
        }
        // Everyone writes the same, so it does not matter who is last.
        if (!finite) *flag = 1;
    }

  private:
    /// An output row in a tile and in the one before it along the row: where the frame's pixel 0
    /// would lie in the first channel, counted from the first tile.
    struct Rows {
        Index later;
        Index earlier;
        Span ramp;
    };

    RRT_HOST_DEVICE Rows rows_of(Index tile_row, Index column, Index row, const Span& ramp) const {
        return {origin(tile_row, column, row), column > 0 ? origin(tile_row, column - 1, row) : 0,
                ramp};
    }

    RRT_HOST_DEVICE Index origin(Index tile_row, Index column, Index row) const {
        const Index scale = job.grid.y.spec.scale;
        const auto tile = static_cast<std::uint32_t>(tile_row * job.grid.x.count + column);
        const Index slot = tile % static_cast<std::uint32_t>(job.tiles.count);
        return job.tiles.offset(slot, 0, row - job.grid.y.start(tile_row) * scale) -
               job.grid.x.start(column) * scale;
    }

    RRT_HOST_DEVICE const R* at(Index origin, Index x, int c) const {
        const Index plane = job.tiles.height * job.tiles.width;
        return static_cast<const R*>(job.tiles.data) + (origin + c * plane + x);
    }

    RRT_HOST_DEVICE S sample_of(float value, Finite& finite) const {
        return make_sample<S>(levels.to_sample(value), job.peak, job.frame.shift, finite);
    }

    RRT_HOST_DEVICE float blended(const Rows& rows, Index x, int c, float later) const {
        const float earlier = to_float(*at(rows.earlier, x, c));
        return blend(earlier, later, ramp_weight(x - rows.ramp.begin, rows.ramp.size()));
    }

    RRT_HOST_DEVICE float read(const Rows& rows, Index x, int c) const {
        const float later = to_float(*at(rows.later, x, c));
        return rows.ramp.contains(x) ? blended(rows, x, c, later) : later;
    }

    /// As read, for kPixels pixels from x on.
    RRT_HOST_DEVICE void read_run(const Rows& rows, Index x, int c,
                                  float (&values)[kPixels]) const {
        RRT_UNROLL
        for (int part = 0; part < kPixels; part += kRead) {
            Run<R, kRead> run;
            load(run, at(rows.later, x + part, c), extent);
            RRT_UNROLL
            for (int i = 0; i < kRead; ++i) values[part + i] = to_float(run.items[i]);
        }
        if (x >= rows.ramp.end) return;
        RRT_UNROLL
        for (int i = 0; i < kPixels; ++i) {
            if (rows.ramp.contains(x + i)) values[i] = blended(rows, x + i, c, values[i]);
        }
    }
};

}  // namespace rrt::cuda
