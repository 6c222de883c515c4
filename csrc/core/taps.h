// Bicubic enlargement by a whole number: which neighbours, with what weights.
#pragma once

#include "core/geometry.h"

namespace rrt {

inline constexpr int kMaxUpsample = 8;
/// The farthest neighbour of a sample that is read.
inline constexpr Index kTapsReach = 2;

/// Four neighbours, the first at `first` from the sample that the output sample belongs to.
struct Taps {
    Index first;
    float weight[4];
};

/// Catmull-Rom (Keys 1981, a = -0.5) at the position of the r-th of `scale` output samples.
inline Taps taps_at(int r, int scale, double phase) {
    const double position = (r + phase) / scale - phase;
    const Index whole = position < 0.0 ? -1 : 0;
    const double t = position - static_cast<double>(whole);
    return {whole - 1,
            {static_cast<float>(((-0.5 * t + 1.0) * t - 0.5) * t),
             static_cast<float>((1.5 * t - 2.5) * t * t + 1.0),
             static_cast<float>(((-1.5 * t + 2.0) * t + 0.5) * t),
             static_cast<float>((0.5 * t - 0.5) * t * t)}};
}

RRT_HOST_DEVICE constexpr Index clamp_index(Index i, Index length) {
    return i < 0 ? 0 : (i < length ? i : length - 1);
}

RRT_HOST_DEVICE constexpr float weigh(const Taps& taps, float a, float b, float c, float d) {
    return taps.weight[0] * a + taps.weight[1] * b + taps.weight[2] * c + taps.weight[3] * d;
}

}  // namespace rrt
