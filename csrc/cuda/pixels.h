// Samples of a frame and values of a network, one by one and in runs.
#pragma once

#include "core/jobs.h"
#include "core/samples.h"
#include "cuda/words.h"

namespace rrt::cuda {

/// A network's own range: what black and white are to it.
struct Levels {
    float black = 0.0f;
    float white = 1.0f;

    RRT_HOST_DEVICE float of_sample(float value) const {
        return is_unit() ? value : value * (white - black) + black;
    }

    RRT_HOST_DEVICE float to_sample(float value) const {
        return is_unit() ? value : (value - black) / (white - black);
    }

  private:
    RRT_HOST_DEVICE bool is_unit() const { return black == 0.0f && white == 1.0f; }
};

/// fp16 in memory.
struct Half {
    std::uint16_t bits;
};

RRT_HOST_DEVICE inline float to_float(float value) { return value; }
RRT_HOST_DEVICE inline float to_float(Half value) { return half_to_float(value.bits); }

template <class R>
RRT_HOST_DEVICE inline R to_real(float value) {
    if constexpr (sizeof(R) == sizeof(float)) {
        return value;
    } else {
        return R{float_to_half(value)};
    }
}

/// A sample as a number: without the low bits that are not used.
template <class S>
RRT_HOST_DEVICE inline float read_sample(S sample, int shift) {
    if constexpr (sizeof(S) == sizeof(float)) {
        return sample;
    } else {
        return static_cast<float>(sample >> shift);
    }
}

/// A value times peak, clamped and rounded for integers; what is not finite is seen.
template <class S>
RRT_HOST_DEVICE inline S make_sample(float value, float peak, int shift, Finite& finite) {
    if constexpr (sizeof(S) == sizeof(float)) {
        const float scaled = value * peak;
        finite.see(scaled);
        return scaled;
    } else {
        finite.see(value);
        return static_cast<S>(quantise<S>(value * peak, peak) << shift);
    }
}

/// Whether a frame's pixels lie side by side, with their channels in order.
template <int channels>
RRT_HOST_DEVICE inline bool is_packed(const FrameView& frame) {
    return frame.column == channels && (channels == 1 || frame.channel == 1);
}

inline Index size_of(Sample sample) {
    return sample == Sample::u8 ? 1 : sample == Sample::u16 ? 2 : 4;
}

/// The memory between a frame's lowest and highest element.
inline Extent extent_of(const FrameView& frame) {
    const auto origin = reinterpret_cast<std::uintptr_t>(frame.data);
    Extent extent{origin, origin};
    const std::ptrdiff_t reaches[] = {frame.row * (frame.height - 1),
                                      frame.column * (frame.width - 1),
                                      frame.channel * (frame.channels - 1)};
    for (const std::ptrdiff_t reach : reaches) {
        const std::ptrdiff_t bytes = reach * size_of(frame.sample);
        (bytes < 0 ? extent.begin : extent.end) += static_cast<std::uintptr_t>(bytes);
    }
    extent.end += static_cast<std::uintptr_t>(size_of(frame.sample));
    return extent;
}

inline Extent extent_of(const TilesView& tiles) {
    const auto origin = reinterpret_cast<std::uintptr_t>(tiles.data);
    const Index bytes = tiles.offset(tiles.count, 0, 0) * (tiles.real == Real::f32 ? 4 : 2);
    return {origin, origin + static_cast<std::uintptr_t>(bytes)};
}

}  // namespace rrt::cuda
