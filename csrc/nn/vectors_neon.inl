// Vectors of four floats. ARM has 32, but what takes more than these makes gcc 12 spill.
namespace rrt::nn::RRT_ISA {
namespace {

constexpr int kLanes = 4;
constexpr int kDirectPixels = 10;
constexpr int kGroup = 8;
constexpr int kProductVectors = 2;

using Vec = float32x4_t;

RRT_INLINE Vec load(const float* from) { return vld1q_f32(from); }
RRT_INLINE void store(float* to, Vec value) { vst1q_f32(to, value); }
RRT_INLINE Vec spread(float value) { return vdupq_n_f32(value); }
RRT_INLINE Vec add(Vec a, Vec b) { return vaddq_f32(a, b); }
RRT_INLINE Vec subtract(Vec a, Vec b) { return vsubq_f32(a, b); }
RRT_INLINE Vec multiply(Vec a, Vec b) { return vmulq_f32(a, b); }
RRT_INLINE Vec divide(Vec a, Vec b) { return vdivq_f32(a, b); }
/// a * b + c
RRT_INLINE Vec multiply_add(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
/// c - a * b
RRT_INLINE Vec subtract_product(Vec a, Vec b, Vec c) { return vfmsq_f32(c, a, b); }
/// NaN where one of them is.
RRT_INLINE Vec larger(Vec a, Vec b) { return vmaxq_f32(a, b); }
RRT_INLINE Vec smaller(Vec a, Vec b) { return vminq_f32(a, b); }

}  // namespace
}  // namespace rrt::nn::RRT_ISA
