// What a kernel is asked to do: plain structs, strides in elements, every field checked before.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/geometry.h"
#include "core/taps.h"

namespace rrt {

enum class Sample { u8, u16, f32 };
enum class Real { f32, f16 };

inline constexpr int kMaxChannels = 4;

/// A frame of any strides. `data` is its first element (not its lowest address).
struct FrameView {
    void* data;
    Sample sample;
    Index height;
    Index width;
    int channels;
    std::ptrdiff_t row;
    std::ptrdiff_t column;
    std::ptrdiff_t channel;
    // Unused low bits of each sample, as in P010; the CPU's kernels know none.
    int shift = 0;
};

/// Tiles one after another, each channels x height x width without gaps.
struct TilesView {
    void* data;
    Real real;
    Index count;
    int channels;
    Index height;
    Index width;

    RRT_HOST_DEVICE constexpr Index offset(Index tile, int channel, Index y) const {
        return ((tile * channels + channel) * height + y) * width;
    }
};

/// tiles[k] = tile first + k of the frame, each sample divided by peak.
struct SplitJob {
    Grid grid;
    FrameView frame;
    TilesView tiles;
    Index first;
    float peak;

    /// Rows of all the tiles.
    constexpr Index units() const { return tiles.count * tiles.height; }
};

/// Output rows of the frame from tiles, where tile t lies in slot t % tiles.count.
struct MergeJob {
    Grid grid;
    FrameView frame;
    TilesView tiles;
    Span rows;
    float peak;
};

/// Bicubic enlargement of one plane, or of two that are interleaved, which the CPU's kernels do not
/// know; sample j comes from (j + phase) / scale - phase.
struct UpsampleJob {
    FrameView target;
    FrameView source;
    int scale;
    double phase_y;
    double phase_x;
    float peak;
};

/// luma = that of an RGB frame, in limited range and without gaps.
struct LumaJob {
    float* luma;
    FrameView frame;
    float peak;
};

/// An RGB frame whose luma is made by a network while its chroma is enlarged; see cpu/colour.inl.
struct ColourJob {
    FrameView target;
    FrameView source;
    int scale;
    float peak;
    Taps taps[kMaxScale];  // of each output sample, the same down and across
};

inline ColourJob make_colour_job(const FrameView& target, const FrameView& source, int scale,
                                 float peak) {
    ColourJob job{target, source, scale, peak, {}};
    for (int r = 0; r < scale; ++r) job.taps[r] = taps_at(r, scale, 0.5);
    return job;
}

/// Channels of a chroma network's input.
inline constexpr int kChromaInputs = 16;
/// How far it reads planes around a chroma sample, in samples of chroma.
inline constexpr Index kChromaReach = 7;

/// What a chroma network reads of 4:2:0 planes, whose chroma lies on the left luma samples; see
/// cpu/chroma.inl. Integers alone.
struct ChromaJob {
    float* target;  // of the chroma planes' size, kChromaInputs floats for each sample
    FrameView luma;
    FrameView cb;
    FrameView cr;
    float peak;
    float grey;  // the sample value of no colour, over peak
};

/// Replace a frame's pixels where the mask, of its height and width and of bytes, is not 0.
struct FillJob {
    FrameView frame;
    FrameView mask;
    int sweeps;
};

}  // namespace rrt
