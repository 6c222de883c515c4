// IEEE half precision, rounded to nearest even; denormals, infinities and NaN included.
namespace rrt::cpu::RRT_ISA {
namespace {

inline std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float float_of(std::uint32_t bits) {
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

// Both directions compute every case and then select, so that a loop of them vectorises. Neither
// multiplies denormals, so both hold where the caller's thread flushes denormals to zero.

inline float half_to_float(std::uint16_t half) {
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
}

inline std::uint16_t float_to_half(float value) {
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
}

void halves_to_floats(float* __restrict target, const std::uint16_t* __restrict source, Index n) {
    Index i = 0;
#ifdef RRT_F16C
    for (; i + 8 <= n; i += 8) {
        const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + i));
        _mm256_storeu_ps(target + i, _mm256_cvtph_ps(halves));
    }
#endif
    for (; i < n; ++i) target[i] = half_to_float(source[i]);
}

void floats_to_halves(std::uint16_t* __restrict target, const float* __restrict source, Index n) {
    Index i = 0;
#ifdef RRT_F16C
    for (; i + 8 <= n; i += 8) {
        const __m256 floats = _mm256_loadu_ps(source + i);
        const __m128i halves = _mm256_cvtps_ph(floats, _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(target + i), halves);
    }
#endif
    for (; i < n; ++i) target[i] = float_to_half(source[i]);
}

}  // namespace
}  // namespace rrt::cpu::RRT_ISA
