// Vectors of sixteen floats.
namespace rrt::nn::RRT_ISA {
namespace {

constexpr int kLanes = 16;
constexpr int kDirectPixels = 20;
constexpr int kGroup = 12;
constexpr int kProductVectors = 2;

using Vec = __m512;

RRT_INLINE Vec load(const float* from) { return _mm512_loadu_ps(from); }
RRT_INLINE void store(float* to, Vec value) { _mm512_storeu_ps(to, value); }
RRT_INLINE Vec spread(float value) { return _mm512_set1_ps(value); }
RRT_INLINE Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
RRT_INLINE Vec subtract(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
RRT_INLINE Vec multiply(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
RRT_INLINE Vec divide(Vec a, Vec b) { return _mm512_div_ps(a, b); }
/// a * b + c
RRT_INLINE Vec multiply_add(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
/// c - a * b
RRT_INLINE Vec subtract_product(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a, b, c); }
/// b where one of them is NaN.
RRT_INLINE Vec larger(Vec a, Vec b) {
    // The forms without a mask make gcc 12 warn of a value that is not used.
    return _mm512_mask_max_ps(a, 0xffff, a, b);
}
RRT_INLINE Vec smaller(Vec a, Vec b) { return _mm512_mask_min_ps(a, 0xffff, a, b); }

}  // namespace
}  // namespace rrt::nn::RRT_ISA
