// From what a job says of its types to the template for them.
#pragma once

#include "core/jobs.h"
#include "cuda/pixels.h"

namespace rrt::cuda {

template <class T>
struct Type {
    using type = T;
};

template <int value>
struct Number {
    static constexpr int number = value;
};

template <class Call>
void with_sample(Sample sample, Call call) {
    if (sample == Sample::u8) return call(Type<std::uint8_t>{});
    if (sample == Sample::u16) return call(Type<std::uint16_t>{});
    return call(Type<float>{});
}

template <class Call>
void with_real(Real real, Call call) {
    if (real == Real::f32) return call(Type<float>{});
    return call(Type<Half>{});
}

/// Frames have 1, 3 or 4 channels.
template <class Call>
void with_channels(int channels, Call call) {
    if (channels == 1) return call(Number<1>{});
    if (channels == 3) return call(Number<3>{});
    return call(Number<4>{});
}

}  // namespace rrt::cuda
