// Where tiles lie, which of them make an output pixel, and with what weight.
//
// The only place that knows: the CPU kernels, the CUDA kernels and Python (through TileGrid) all
// ask here. Header only, for host and device: no allocation, no library types, no exceptions.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define RRT_HOST_DEVICE __host__ __device__
#else
#define RRT_HOST_DEVICE
#endif

namespace rrt {

using Index = std::int64_t;

// With these bounds no product below can overflow, and a ramp's weights are exact enough.
inline constexpr Index kMaxSide = Index{1} << 20;
inline constexpr Index kMaxScale = 16;

struct Span {
    Index begin;
    Index end;

    RRT_HOST_DEVICE constexpr Index size() const { return end - begin; }
    RRT_HOST_DEVICE constexpr bool contains(Index i) const { return begin <= i && i < end; }
};

/// What is asked for along one axis; lengths are in input pixels.
struct AxisSpec {
    Index length;
    Index tile;
    Index overlap;
    Index halo;
    Index feather;
    Index scale;
    Index multiple;
};

/// The pixel of an axis of `length` that stands at position i, of `reach` positions: itself, or
/// beyond the end its reflection, and the last one where the axis is too short to reflect.
RRT_HOST_DEVICE constexpr Index reflected(Index i, Index length, Index reach) {
    if (i < length) return i;
    return reach - length < length ? 2 * (length - 1) - i : length - 1;
}

/// The tiles along one axis. Build it with make_axis from a spec that check_axis accepts.
///
/// Output pixels are divided into pieces, one for each tile: piece i begins with the ramp that
/// tile i shares with tile i - 1 and ends where the next ramp begins.
struct Axis {
    AxisSpec spec;
    Index padded;  // length rounded up to the multiple
    Index count;   // tiles
    // The last tile's start in multiples, divided by the gaps between tiles.
    Index whole;
    Index rest;

    /// First input pixel of tile i. A tile may reach past the frame's end, never before its begin.
    RRT_HOST_DEVICE constexpr Index start(Index i) const {
        if (i <= 0) return 0;
        // i * (whole + rest / gaps), the division in 32 bits where they are enough: GPUs have no
        // other.
        const Index part = i * rest;
        const Index gaps = count - 1;
        const Index extra =
            part <= 0xffffffff ? static_cast<std::uint32_t>(part) / static_cast<std::uint32_t>(gaps)
                               : part / gaps;
        return (i * whole + extra) * spec.multiple;
    }

    /// The frame's pixel that stands at position i: itself, or beyond the end its reflection.
    RRT_HOST_DEVICE constexpr Index source(Index i) const {
        return reflected(i, spec.length, count == 1 ? spec.tile : padded);
    }

    /// Input pixels of tile i that lie in the frame.
    RRT_HOST_DEVICE constexpr Span inside(Index i) const {
        const Index begin = start(i);
        const Index end = begin + spec.tile;
        return {begin, end < spec.length ? end : spec.length};
    }

    RRT_HOST_DEVICE constexpr Index output_length() const { return spec.length * spec.scale; }

    /// Output pixels over which tile i takes over from tile i - 1; empty for the first tile.
    RRT_HOST_DEVICE constexpr Span ramp(Index i) const {
        if (i <= 0) return {0, 0};
        const Index twice_centre = spec.scale * (start(i) + start(i - 1) + spec.tile);
        const Index size = spec.feather * spec.scale;
        const Index begin = (twice_centre - size) / 2;
        return {begin, begin + size};
    }

    /// Output pixels that tile i completes.
    RRT_HOST_DEVICE constexpr Span piece(Index i) const {
        return {ramp(i).begin, i + 1 < count ? ramp(i + 1).begin : output_length()};
    }

    /// The tile whose piece holds an output pixel.
    RRT_HOST_DEVICE constexpr Index find(Index pixel) const {
        Index low = 0;
        Index high = count;
        while (high - low > 1) {
            const Index middle = (low + high) / 2;
            if (ramp(middle).begin <= pixel) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low;
    }
};

/// Weight of the later of two tiles at the i-th of the n output pixels of their ramp.
RRT_HOST_DEVICE constexpr float ramp_weight(Index i, Index n) {
    return (static_cast<float>(i) + 0.5f) / static_cast<float>(n);
}

/// The blend of two tiles. Equal values come out unchanged, hence the two weights sum to 1.
RRT_HOST_DEVICE constexpr float blend(float earlier, float later, float weight_of_later) {
    return earlier + weight_of_later * (later - earlier);
}

RRT_HOST_DEVICE constexpr Index round_up(Index value, Index multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/// Precondition: everything but the ramps in the spec has been checked.
RRT_HOST_DEVICE constexpr Axis make_axis(const AxisSpec& spec) {
    const Index padded = round_up(spec.length, spec.multiple);
    const Index stride = spec.tile - spec.overlap;
    const Index count = padded <= spec.tile ? 1 : (padded - spec.overlap + stride - 1) / stride;
    if (count == 1) return {spec, padded, count, 0, 0};
    const Index steps = (padded - spec.tile) / spec.multiple;
    return {spec, padded, count, steps / (count - 1), steps % (count - 1)};
}

enum class Fault {
    none,
    length,
    tile,
    scale,
    multiple,
    overlap,
    halo,
    feather,
    ramps_collide,
};

/// The first thing that is wrong with a spec.
RRT_HOST_DEVICE constexpr Fault check_axis(const AxisSpec& spec) {
    if (spec.length < 1 || spec.length > kMaxSide) return Fault::length;
    if (spec.tile < 1 || spec.tile > kMaxSide) return Fault::tile;
    if (spec.scale < 1 || spec.scale > kMaxScale) return Fault::scale;
    if (spec.multiple < 1 || spec.tile % spec.multiple != 0) return Fault::multiple;
    // A frame that one tile covers shares nothing, however small it is.
    const bool shares = spec.length > spec.tile;
    if (spec.overlap < 0 || (shares && spec.overlap >= spec.tile)) return Fault::overlap;
    if (spec.overlap % spec.multiple != 0) return Fault::overlap;
    if (spec.halo < 0 || spec.halo > spec.overlap / 2) return Fault::halo;
    if (spec.feather < 0 || spec.feather > spec.overlap - 2 * spec.halo) return Fault::feather;
    const Axis axis = make_axis(spec);
    for (Index i = 2; i < axis.count; ++i) {
        if (axis.ramp(i - 1).end > axis.ramp(i).begin) return Fault::ramps_collide;
    }
    return Fault::none;
}

/// A side from which on no frame needs three tiles for one pixel. Precondition: as for make_axis.
RRT_HOST_DEVICE constexpr Index least_tile(const AxisSpec& spec) {
    return round_up(spec.overlap + 2 * spec.feather + 2 * spec.multiple, spec.multiple);
}

/// The smallest tile, a multiple of `step`, that covers the length with no more tiles than
/// spec.tile does: a larger one would only let neighbours share more. Where one tile is enough it
/// is the length, rounded up to the multiple alone. Precondition: as for make_axis.
RRT_HOST_DEVICE constexpr Index fit_tile(const AxisSpec& spec, Index step) {
    const Axis axis = make_axis(spec);
    if (axis.count == 1) return axis.padded;
    const Index shared = (axis.count - 1) * spec.overlap;
    const Index even = (axis.padded + shared + axis.count - 1) / axis.count;
    const Index wanted = round_up(even < least_tile(spec) ? least_tile(spec) : even, step);
    return wanted < spec.tile ? wanted : spec.tile;
}

/// Tiles in row-major order: tile t is row t / x.count, column t % x.count.
struct Grid {
    Axis y;
    Axis x;

    RRT_HOST_DEVICE constexpr Index count() const { return y.count * x.count; }
};

}  // namespace rrt
