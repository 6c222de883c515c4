// Eight sums.
namespace rrt::nn::RRT_ISA {
namespace {

using Ints = __m256i;

RRT_INLINE Ints no_ints() { return _mm256_setzero_si256(); }
RRT_INLINE Ints load_ints(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
RRT_INLINE Ints spread_int(int value) { return _mm256_set1_epi32(value); }
RRT_INLINE Ints add_ints(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
RRT_INLINE Vec to_floats(Ints value) { return _mm256_cvtepi32_ps(value); }
/// Halves go to the even number.
RRT_INLINE Ints to_ints(Vec value) { return _mm256_cvtps_epi32(value); }
RRT_INLINE Ints load_bytes(const void* from) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(from)));
}
/// The sums are 0 to 255.
RRT_INLINE __m128i to_bytes(Ints value) {
    const __m128i halves =
        _mm_packus_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
    return _mm_packus_epi16(halves, halves);
}
RRT_INLINE void store_bytes(void* to, Ints value) {
    _mm_storel_epi64(static_cast<__m128i*>(to), to_bytes(value));
}
/// The first four of them.
RRT_INLINE void store_word(void* to, Ints value) { _mm_storeu_si32(to, to_bytes(value)); }

#ifdef RRT_VNNI

constexpr int kInt8Pixels = 10;

using Word = __m256i;
using Weights = __m256i;

RRT_INLINE Word spread_word(const float* from) {
    return _mm256_set1_epi32(_mm_cvtsi128_si32(_mm_loadu_si32(from)));
}
RRT_INLINE Weights load_weights(const float* from) { return load_ints(from); }
RRT_INLINE Ints dot(Ints sum, Word word, const Weights& weights) {
    return _mm256_dpbusd_avx_epi32(sum, word, weights);
}

#else

constexpr int kInt8Pixels = 6;

// Two products of 16 bits at a time: those of 8 bits saturate.
struct Word {
    __m256i even;
    __m256i odd;
};
using Weights = Word;

RRT_INLINE Word spread_word(const float* from) {
    const __m256i word = _mm256_set1_epi32(_mm_cvtsi128_si32(_mm_loadu_si32(from)));
    return {_mm256_and_si256(word, _mm256_set1_epi16(255)), _mm256_srli_epi16(word, 8)};
}
RRT_INLINE Weights load_weights(const float* from) {
    const __m256i four = load_ints(from);
    return {_mm256_srai_epi16(_mm256_slli_epi16(four, 8), 8), _mm256_srai_epi16(four, 8)};
}
RRT_INLINE Ints dot(Ints sum, const Word& word, const Weights& weights) {
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(word.even, weights.even));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(word.odd, weights.odd));
}

#endif

}  // namespace
}  // namespace rrt::nn::RRT_ISA
