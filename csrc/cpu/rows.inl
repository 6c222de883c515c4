// Runs of samples: between a frame's type and strides, and contiguous floats.
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
