// Runs of half precision, see core/samples.h.
namespace rrt::cpu::RRT_ISA {
namespace {

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
