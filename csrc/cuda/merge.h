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

        const Place place{tile_row, column, row, down.ramp(tile_row), across.ramp(column)};
        Finite finite;
        S* const target = static_cast<S*>(job.frame.data) + row * job.frame.row;
        if (end - begin == kPixels && is_packed<channels>(job.frame)) {
            write_run(place, first, target + first * channels, finite);
        } else {
            for (Index x = begin; x < end; ++x) {
                S* const pixel = target + x * job.frame.column;
                RRT_UNROLL
                for (int c = 0; c < channels; ++c) {
                    pixel[c * job.frame.channel] = sample_of(value_at(place, x, c), finite);
                }
            }
        }
        // Everyone writes the same, so it does not matter who is last.
        if (!finite) *flag = 1;
    }

  private:
    struct Place {
        Index tile_row;
        Index column;
        Index row;
        Span down;
        Span across;
    };

    RRT_HOST_DEVICE S sample_of(float value, Finite& finite) const {
        return make_sample<S>(levels.to_sample(value), job.peak, job.frame.shift, finite);
    }

    /// Where output pixel (row, x) of a channel lies in a tile.
    RRT_HOST_DEVICE const R* source(Index tile_row, Index column, Index row, Index x, int c) const {
        const Index scale = job.grid.y.spec.scale;
        const auto tile = static_cast<std::uint32_t>(tile_row * job.grid.x.count + column);
        const Index slot = tile % static_cast<std::uint32_t>(job.tiles.count);
        return static_cast<const R*>(job.tiles.data) +
               job.tiles.offset(slot, c, row - job.grid.y.start(tile_row) * scale) + x -
               job.grid.x.start(column) * scale;
    }

    RRT_HOST_DEVICE float across_at(const Place& place, Index tile_row, Index x, int c) const {
        const float later = to_float(*source(tile_row, place.column, place.row, x, c));
        if (!place.across.contains(x)) return later;
        const float earlier = to_float(*source(tile_row, place.column - 1, place.row, x, c));
        return blend(earlier, later, ramp_weight(x - place.across.begin, place.across.size()));
    }

    RRT_HOST_DEVICE float value_at(const Place& place, Index x, int c) const {
        const float later = across_at(place, place.tile_row, x, c);
        if (!place.down.contains(place.row)) return later;
        return blend(across_at(place, place.tile_row - 1, x, c), later, weight_down(place));
    }

    RRT_HOST_DEVICE float weight_down(const Place& place) const {
        return ramp_weight(place.row - place.down.begin, place.down.size());
    }

    /// As across_at, for kPixels pixels from x on.
    RRT_HOST_DEVICE void read_run(const Place& place, Index tile_row, Index x, int c,
                                  float (&values)[kPixels]) const {
        RRT_UNROLL
        for (int part = 0; part < kPixels; part += kRead) {
            Run<R, kRead> run;
            load(run, source(tile_row, place.column, place.row, x + part, c), extent);
            RRT_UNROLL
            for (int i = 0; i < kRead; ++i) values[part + i] = to_float(run.items[i]);
        }
        if (x >= place.across.end) return;
        const R* const earlier = source(tile_row, place.column - 1, place.row, x, c);
        RRT_UNROLL
        for (int i = 0; i < kPixels; ++i) {
            if (!place.across.contains(x + i)) continue;
            const float weight = ramp_weight(x + i - place.across.begin, place.across.size());
            values[i] = blend(to_float(earlier[i]), values[i], weight);
        }
    }

    RRT_HOST_DEVICE void write_run(const Place& place, Index x, S* target, Finite& finite) const {
        Run<S, kPixels * channels> samples;
        const bool blends = place.down.contains(place.row);
        RRT_UNROLL
        for (int c = 0; c < channels; ++c) {
            float values[kPixels];
            read_run(place, place.tile_row, x, c, values);
            if (blends) {
                float earlier[kPixels];
                read_run(place, place.tile_row - 1, x, c, earlier);
                const float weight = weight_down(place);
                RRT_UNROLL
                for (int i = 0; i < kPixels; ++i) {
                    values[i] = blend(earlier[i], values[i], weight);
                }
            }
            RRT_UNROLL
            for (int i = 0; i < kPixels; ++i) {
                samples.items[i * channels + c] = sample_of(values[i], finite);
            }
        }
        store(target, samples);
    }
};

}  // namespace rrt::cuda
