// Sixteen sums. Forms without a mask make gcc 12 warn of a value that is not used.
namespace rrt::nn::RRT_ISA {
namespace {

constexpr int kInt8Pixels = 20;

using Ints = __m512i;

RRT_INLINE Ints no_ints() { return _mm512_setzero_si512(); }
RRT_INLINE Ints load_ints(const void* from) { return _mm512_loadu_si512(from); }
RRT_INLINE Ints spread_int(int value) { return _mm512_set1_epi32(value); }
RRT_INLINE Ints add_ints(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
RRT_INLINE Vec to_floats(Ints value) { return _mm512_maskz_cvtepi32_ps(0xffff, value); }
/// Halves go to the even number.
RRT_INLINE Ints to_ints(Vec value) { return _mm512_maskz_cvtps_epi32(0xffff, value); }
RRT_INLINE Ints load_bytes(const void* from) {
    return _mm512_maskz_cvtepu8_epi32(0xffff, _mm_loadu_si128(static_cast<const __m128i*>(from)));
}
/// The sums are 0 to 255.
RRT_INLINE void store_bytes(void* to, Ints value) {
    _mm_storeu_si128(static_cast<__m128i*>(to), _mm512_maskz_cvtepi32_epi8(0xffff, value));
}
/// The first four of them.
RRT_INLINE void store_word(void* to, Ints value) {
    _mm_storeu_si32(to, _mm512_maskz_cvtepi32_epi8(0xffff, value));
}

#ifdef RRT_VNNI

using Word = __m512i;
using Weights = __m512i;

RRT_INLINE Word spread_word(const float* from) {
    return _mm512_set1_epi32(_mm_cvtsi128_si32(_mm_loadu_si32(from)));
}
RRT_INLINE Weights load_weights(const float* from) { return _mm512_loadu_si512(from); }
RRT_INLINE Ints dot(Ints sum, Word word, const Weights& weights) {
    return _mm512_dpbusd_epi32(sum, word, weights);
}

#else

// Two products of 16 bits at a time: those of 8 bits saturate.
struct Word {
    __m512i even;
    __m512i odd;
};
using Weights = Word;

RRT_INLINE Word spread_word(const float* from) {
    const __m512i word = _mm512_set1_epi32(_mm_cvtsi128_si32(_mm_loadu_si32(from)));
    return {_mm512_and_si512(word, _mm512_set1_epi16(255)), _mm512_srli_epi16(word, 8)};
}
RRT_INLINE Weights load_weights(const float* from) {
    const __m512i four = _mm512_loadu_si512(from);
    return {_mm512_srai_epi16(_mm512_slli_epi16(four, 8), 8), _mm512_srai_epi16(four, 8)};
}
RRT_INLINE Ints dot(Ints sum, const Word& word, const Weights& weights) {
    sum = _mm512_add_epi32(sum, _mm512_madd_epi16(word.even, weights.even));
    return _mm512_add_epi32(sum, _mm512_madd_epi16(word.odd, weights.odd));
}

#endif

}  // namespace
}  // namespace rrt::nn::RRT_ISA
