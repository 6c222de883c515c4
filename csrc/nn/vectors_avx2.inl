// Vectors of eight floats.
namespace rrt::nn::RRT_ISA {
namespace {

constexpr int kLanes = 8;
constexpr int kDirectPixels = 10;
constexpr int kGroup = 6;
constexpr int kProductVectors = 2;

using Vec = __m256;

RRT_INLINE Vec load(const float* from) { return _mm256_loadu_ps(from); }
RRT_INLINE void store(float* to, Vec value) { _mm256_storeu_ps(to, value); }
RRT_INLINE Vec spread(float value) { return _mm256_set1_ps(value); }
RRT_INLINE Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
RRT_INLINE Vec subtract(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
RRT_INLINE Vec multiply(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
RRT_INLINE Vec divide(Vec a, Vec b) { return _mm256_div_ps(a, b); }
/// a * b + c
RRT_INLINE Vec multiply_add(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
/// c - a * b
RRT_INLINE Vec subtract_product(Vec a, Vec b, Vec c) { return _mm256_fnmadd_ps(a, b, c); }
/// b where one of them is NaN.
RRT_INLINE Vec larger(Vec a, Vec b) { return _mm256_max_ps(a, b); }
RRT_INLINE Vec smaller(Vec a, Vec b) { return _mm256_min_ps(a, b); }

}  // namespace
}  // namespace rrt::nn::RRT_ISA
