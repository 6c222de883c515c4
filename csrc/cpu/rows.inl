// Runs of samples: between a frame's type and strides, and contiguous floats.
#pragma once

namespace rrt::cpu::RRT_ISA {
namespace {

// Scratch lives on the stack, in the first-level cache.
constexpr Index kChunk = 512;

inline Index smaller(Index a, Index b) { return a < b ? a : b; }

template <class S, std::ptrdiff_t step>
void normalise_step(float* __restrict target, const S* __restrict source, Index n, float peak) {
    for (Index i = 0; i < n; ++i) target[i] = static_cast<float>(source[i * step]) / peak;
}

/// target[i] = source[i * step] / peak
template <class S>
void normalise(float* __restrict target, const S* __restrict source, std::ptrdiff_t step, Index n,
               float peak) {
    // The usual layouts as constants: grey or planar, RGB, RGBA.
    if (step == 1) return normalise_step<S, 1>(target, source, n, peak);
    if (step == 3) return normalise_step<S, 3>(target, source, n, peak);
    if (step == 4) return normalise_step<S, 4>(target, source, n, peak);
    for (Index i = 0; i < n; ++i) target[i] = static_cast<float>(source[i * step]) / peak;
}

/// The weighed sums of four rows' samples, every column-th.
template <class S>
void weigh_rows(float* __restrict target, const S* const rows[4], std::ptrdiff_t column, Index n,
                const Taps& taps) {
    const S *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
    if (column == 1) {
        for (Index i = 0; i < n; ++i) target[i] = weigh(taps, a[i], b[i], c[i], d[i]);
        return;
    }
    for (Index i = 0; i < n; ++i) {
        const std::ptrdiff_t at = i * column;
        target[i] = weigh(taps, a[at], b[at], c[at], d[at]);
    }
}

template <class S>
inline S to_sample(float value, float peak) {
    if constexpr (sizeof(S) == sizeof(float)) {
        return value;
    } else {
        return quantise<S>(value, peak);
    }
}

/// Every scale-th output sample, beginning at the r-th: line[i] is a tap's first neighbour.
template <class S>
void weigh_line(S* __restrict target, const float* __restrict line, Index n, const Taps& taps,
                float peak) {
    for (Index i = 0; i < n; ++i) {
        target[i] = to_sample<S>(weigh(taps, line[i], line[i + 1], line[i + 2], line[i + 3]), peak);
    }
}

template <class S>
void to_samples(S* __restrict target, const float* __restrict source, Index n, float peak,
                Finite& finite) {
    std::int32_t largest = finite.largest;
    for (Index i = 0; i < n; ++i) {
        const std::int32_t magnitude = magnitude_bits(source[i]);
        largest = magnitude > largest ? magnitude : largest;
        target[i] = quantise<S>(source[i] * peak, peak);
    }
    finite.largest = largest;
}

template <>
void to_samples<float>(float* __restrict target, const float* __restrict source, Index n,
                       float peak, Finite& finite) {
    std::int32_t largest = finite.largest;
    for (Index i = 0; i < n; ++i) {
        const float value = source[i] * peak;
        const std::int32_t magnitude = magnitude_bits(value);
        largest = magnitude > largest ? magnitude : largest;
        target[i] = value;
    }
    finite.largest = largest;
}

template <class S, int channels>
void interleave(S* __restrict target, const S (*__restrict planes)[kChunk], Index n) {
    for (Index i = 0; i < n; ++i) {
        for (int c = 0; c < channels; ++c) target[i * channels + c] = planes[c][i];
    }
}

/// Writes n <= kChunk pixels of a frame from one run of floats for each channel, times peak.
template <class S>
void store_pixels(S* target, std::ptrdiff_t column, std::ptrdiff_t channel, int channels,
                  const float* const* runs, Index n, float peak, Finite& finite) {
    if (channel == -1 && column > 1 && channels == 3) {
        // BGR: as RGB, from the lowest address on.
        const float* const turned[] = {runs[2], runs[1], runs[0]};
        return store_pixels<S>(target - 2, column, 1, 3, turned, n, peak, finite);
    }
    if (column == 1) {
        for (int c = 0; c < channels; ++c) {
            to_samples<S>(target + c * channel, runs[c], n, peak, finite);
        }
        return;
    }
    S planes[kMaxChannels][kChunk];
    for (int c = 0; c < channels; ++c) to_samples<S>(planes[c], runs[c], n, peak, finite);
    if (channel == 1 && column == channels && channels == 3) {
        interleave<S, 3>(target, planes, n);
    } else if (channel == 1 && column == channels && channels == 4) {
        interleave<S, 4>(target, planes, n);
    } else {
        for (int c = 0; c < channels; ++c) {
            S* const first = target + c * channel;
            for (Index i = 0; i < n; ++i) first[i * column] = planes[c][i];
        }
    }
}

}  // namespace
}  // namespace rrt::cpu::RRT_ISA
