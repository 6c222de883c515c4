// Samples and floats: bits, rounding, half precision. Written so that a loop of them vectorises,
// and with no library calls, for host and device.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#include <cuda_fp16.h>
#endif

#include "core/geometry.h"

namespace rrt {

RRT_HOST_DEVICE inline std::uint32_t bits_of(float value) {
#ifdef __CUDA_ARCH__
    return __float_as_uint(value);
#else
    std::uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
#endif
}

RRT_HOST_DEVICE inline float float_of(std::uint32_t bits) {
#ifdef __CUDA_ARCH__
    return __uint_as_float(bits);
#else
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
#endif
}

/// Integers order as the floats do, with NaN above infinity.
RRT_HOST_DEVICE inline std::int32_t magnitude_bits(float value) {
    return static_cast<std::int32_t>(bits_of(value) & 0x7fffffffu);
}

/// Largest magnitude so far, as bits.
struct Finite {
    std::int32_t largest = 0;

    RRT_HOST_DEVICE operator bool() const { return largest < 0x7f800000; }

    RRT_HOST_DEVICE void see(float value) {
        const std::int32_t magnitude = magnitude_bits(value);
        largest = magnitude > largest ? magnitude : largest;
    }
};

/// Clamped to [0, peak], NaN to 0, rounded half to even; peak < 2^16.
template <class S>
RRT_HOST_DEVICE inline S quantise(float value, float peak) {
    const float positive = value > 0.0f ? value : 0.0f;
    const float clamped = positive < peak ? positive : peak;
    // Beyond 2^23 a float has no fraction: the addition rounds, and the low bits are the integer.
    return static_cast<S>(bits_of(clamped + 8388608.0f));
}

// IEEE half precision, rounded to nearest even; denormals, infinities and NaN included. Both
// directions compute every case and then select, and neither multiplies denormals, so both hold
// where the caller's thread flushes denormals to zero.

RRT_HOST_DEVICE inline float half_to_float(std::uint16_t half) {
#ifdef __CUDA_ARCH__
    return __half2float(__ushort_as_half(half));
#else
    constexpr std::uint32_t exponent_mask = 0x7c00u << 13;
    constexpr std::uint32_t smallest_normal = 113u << 23;
    const std::uint32_t magnitude = (half & 0x7fffu) << 13;
    const std::uint32_t exponent = magnitude & exponent_mask;
    const std::uint32_t normal = magnitude + (112u << 23);
    const std::uint32_t denormal =
        bits_of(float_of(magnitude + smallest_normal) - float_of(smallest_normal));
    const std::uint32_t quiet = (magnitude & 0x7fffffu) != 0 ? 0x400000u : 0u;
    const std::uint32_t special = (normal + (112u << 23)) | quiet;
    const std::uint32_t finite = exponent == 0 ? denormal : normal;
    const std::uint32_t result = exponent == exponent_mask ? special : finite;
    return float_of(result | (half & 0x8000u) << 16);
#endif
}

RRT_HOST_DEVICE inline std::uint16_t float_to_half(float value) {
#ifdef __CUDA_ARCH__
    return __half_as_ushort(__float2half_rn(value));
#else
    constexpr std::uint32_t infinity = 255u << 23;
    constexpr std::uint32_t overflow = 143u << 23;
    constexpr std::uint32_t smallest_normal = 113u << 23;
    constexpr std::uint32_t half_one = 126u << 23;  // 0.5f: its last bit is a half's last denormal
    const std::uint32_t bits = bits_of(value);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    const std::uint32_t odd = (magnitude >> 13) & 1u;
    const std::uint32_t normal = (magnitude - (112u << 23) + 0xfffu + odd) >> 13;
    const std::uint32_t denormal =
        bits_of(float_of(magnitude < smallest_normal ? magnitude : 0u) + 0.5f) - half_one;
    const std::uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x1ffu);
    const std::uint32_t special = magnitude > infinity ? nan : 0x7c00u;
    const std::uint32_t finite = magnitude < smallest_normal ? denormal : normal;
    const std::uint32_t result = magnitude >= overflow ? special : finite;
    return static_cast<std::uint16_t>(result | (bits >> 16 & 0x8000u));
#endif
}

}  // namespace rrt
