// Frames in colour through networks that restore luma alone.
//
// Luma enters R', G' and B' with a weight of 1 each. A pixel is therefore its luma and two
// differences, R - G and B - G, and these two alone are enlarged, by bicubic interpolation:
//
//     G = luma - (kRedWeight * (R - G) + kBlueWeight * (B - G))
//
// Bicubic interpolation is linear, so this is the enlarged frame with its luma replaced. Of greys
// the differences are 0 to the bit, and stay so. Everything happens in runs that stay in the
// first-level cache; no pixel depends on where its run begins.
#pragma once

#include "cpu/rows.inl"

namespace rrt::cpu::RRT_ISA {
namespace {

constexpr Index kColourRun = 256;
constexpr Index kColourMargin = kTapsReach;
// A run of the source's pixels, with what bicubic interpolation reads beside it.
constexpr Index kColourLine = kColourRun + 2 * kColourMargin + 2;

/// Channels of pixels as floats, every step-th.
struct Channels {
    const float* red;
    const float* green;
    const float* blue;
    Index step;
};

/// Reads the pixels of some columns by fill(target, offset, step, n): n samples from an offset of
/// their row on. Where a pixel's samples are neighbours, all of them are read at once.
template <class Fill>
Channels read_channels(float* lines, const FrameView& frame, Span columns, Fill fill) {
    const Index n = columns.size();
    const std::ptrdiff_t first = columns.begin * frame.column;
    const bool turned = frame.channel == -1;
    if ((frame.channel == 1 || turned) && (frame.column == 3 || frame.column == 4)) {
        fill(lines, first - (turned ? 2 : 0), 1, (n - 1) * frame.column + 3);
        return {lines + (turned ? 2 : 0), lines + 1, lines + (turned ? 0 : 2), frame.column};
    }
    for (int c = 0; c < 3; ++c) {
        fill(lines + c * kColourLine, first + c * frame.channel, frame.column, n);
    }
    return {lines, lines + kColourLine, lines + 2 * kColourLine, 1};
}

/// Calls work(red - green, blue - green, green, i) for each pixel, with the step as a constant.
template <Index step, class Work>
void for_each_pixel(const Channels& from, Index n, Work work) {
    const float* const red = from.red;
    const float* const green = from.green;
    const float* const blue = from.blue;
    for (Index i = 0; i < n; ++i) {
        const float g = green[i * step];
        work(red[i * step] - g, blue[i * step] - g, g, i);
    }
}

template <class Work>
void for_each_pixel(const Channels& from, Index n, Work work) {
    if (from.step == 3) return for_each_pixel<3>(from, n, work);
    if (from.step == 4) return for_each_pixel<4>(from, n, work);
    return for_each_pixel<1>(from, n, work);
}

/// Luma in limited range, from red - green, blue - green and green.
inline float luma_of(float red, float blue, float green) {
    return kBlack + kLumaSpan * (green + (kRedWeight * red + kBlueWeight * blue));
}

/// The luma of some pixels of a row, in limited range.
template <class S>
void luma_run(float* __restrict target, const FrameView& frame, Index row, Span columns,
              float peak) {
    const S* const source = static_cast<const S*>(frame.data) + row * frame.row;
    for (Index x = columns.begin; x < columns.end; x += kColourRun) {
        const Index n = smaller(kColourRun, columns.end - x);
        float lines[4 * kColourLine];
        const Channels from = read_channels(
            lines, frame, {x, x + n},
            [&](float* line, std::ptrdiff_t offset, std::ptrdiff_t step, Index samples) {
                normalise(line, source + offset, step, samples, peak);
            });
        float* const to = target + (x - columns.begin);
        for_each_pixel(from, n, [to](float red, float blue, float green, Index i) {
            to[i] = luma_of(red, blue, green);
        });
    }
}

/// The samples of n pixels, enlarged: line[0] is the first one's neighbour kColourMargin before.
template <int scale>
void weigh_across(float* target, const float* line, Index n, const Taps* across) {
    float phases[scale][kChunk];
    for (int r = 0; r < scale; ++r) {
        weigh_line(phases[r], line + kColourMargin + across[r].first, n, across[r], 0.0f);
    }
    interleave<float, scale>(target, phases, n);
}

void weigh_across(float* target, const float* line, Index n, int scale, const Taps* across) {
    if (scale == 1) return weigh_across<1>(target, line, n, across);
    if (scale == 2) return weigh_across<2>(target, line, n, across);
    if (scale == 3) return weigh_across<3>(target, line, n, across);
    if (scale == 4) return weigh_across<4>(target, line, n, across);
    float phase[kChunk];
    for (int r = 0; r < scale; ++r) {
        weigh_line(phase, line + kColourMargin + across[r].first, n, across[r], 0.0f);
        for (Index i = 0; i < n; ++i) target[i * scale + r] = phase[i];
    }
}

/// Repeats the first and the last of `held` samples where a line reaches beyond the frame.
void repeat_edges(float* line, Span held, Index n) {
    for (Index i = 0; i < held.begin; ++i) line[i] = line[held.begin];
    for (Index i = held.end; i < n; ++i) line[i] = line[held.end - 1];
}

/// One run of output pixels; luma[i] is that of the i-th.
template <class S>
void colour_run(const ColourJob& job, Index row, Span columns, const float* __restrict luma,
                Finite& finite) {
    const FrameView& source = job.source;
    const Index scale = job.scale;
    // Of the source, whole pixels that cover the run; with their neighbours; and those there are.
    const Span pixels{columns.begin / scale, (columns.end - 1) / scale + 1};
    const Span wanted{pixels.begin - kColourMargin, pixels.end + kColourMargin};
    const Span there{clamp_index(wanted.begin, source.width),
                     clamp_index(wanted.end - 1, source.width) + 1};
    Taps down = job.taps[row % scale];
    for (float& weight : down.weight) weight /= job.peak;
    const S* rows[4];
    for (int k = 0; k < 4; ++k) {
        const Index y = clamp_index(row / scale + down.first + k, source.height);
        rows[k] = static_cast<const S*>(source.data) + y * source.row;
    }
    float lines[4 * kColourLine];
    const Channels from =
        read_channels(lines, source, there,
                      [&](float* line, std::ptrdiff_t offset, std::ptrdiff_t step, Index samples) {
                          const S* shifted[4];
                          for (int k = 0; k < 4; ++k) shifted[k] = rows[k] + offset;
                          weigh_rows(line, shifted, step, samples, down);
                      });
    float red[kColourLine];
    float blue[kColourLine];
    const Span held{there.begin - wanted.begin, there.end - wanted.begin};
    for_each_pixel(from, there.size(), [&](float r, float b, float, Index i) {
        red[held.begin + i] = r;
        blue[held.begin + i] = b;
    });
    repeat_edges(red, held, wanted.size());
    repeat_edges(blue, held, wanted.size());

    // The run may begin and end within a pixel of the source.
    float enlarged[2][kColourRun + 2 * kMaxScale];
    weigh_across(enlarged[0], red, pixels.size(), job.scale, job.taps);
    weigh_across(enlarged[1], blue, pixels.size(), job.scale, job.taps);
    const float* const reds = enlarged[0] + (columns.begin - pixels.begin * scale);
    const float* const blues = enlarged[1] + (columns.begin - pixels.begin * scale);
    float channels[3][kColourRun];
    for (Index i = 0; i < columns.size(); ++i) {
        const float full = (luma[i] - kBlack) * (1.0f / kLumaSpan);
        const float green = full - (kRedWeight * reds[i] + kBlueWeight * blues[i]);
        channels[0][i] = reds[i] + green;
        channels[1][i] = green;
        channels[2][i] = blues[i] + green;
    }
    const FrameView& target = job.target;
    const float* const runs[] = {channels[0], channels[1], channels[2]};
    store_pixels<S>(static_cast<S*>(target.data) + row * target.row + columns.begin * target.column,
                    target.column, target.channel, 3, runs, columns.size(), job.peak, finite);
}

/// Output pixels of a row, given their luma in limited range.
template <class S>
void colour_row(const ColourJob& job, Index row, Span columns, const float* luma, Finite& finite) {
    for (Index x = columns.begin; x < columns.end; x += kColourRun) {
        const Span run{x, smaller(x + kColourRun, columns.end)};
        colour_run<S>(job, row, run, luma + (x - columns.begin), finite);
    }
}

}  // namespace
}  // namespace rrt::cpu::RRT_ISA
