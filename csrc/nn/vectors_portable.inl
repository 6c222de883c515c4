// Vectors of four floats in the compiler's own terms: SSE2 on x86.
namespace rrt::nn::RRT_ISA {
namespace {

constexpr int kLanes = 4;
// What the registers hold beside weights and a broadcast.
constexpr int kDirectPixels = 8;
constexpr int kGroup = 6;
constexpr int kProductVectors = 2;

typedef float Vec __attribute__((vector_size(16)));
typedef float Loose __attribute__((vector_size(16), aligned(4), may_alias));
typedef std::int32_t Mask __attribute__((vector_size(16)));

RRT_INLINE Vec load(const float* from) { return *reinterpret_cast<const Loose*>(from); }
RRT_INLINE void store(float* to, Vec value) { *reinterpret_cast<Loose*>(to) = value; }
RRT_INLINE Vec spread(float value) { return Vec{value, value, value, value}; }
RRT_INLINE Vec add(Vec a, Vec b) { return a + b; }
RRT_INLINE Vec subtract(Vec a, Vec b) { return a - b; }
RRT_INLINE Vec multiply(Vec a, Vec b) { return a * b; }
RRT_INLINE Vec divide(Vec a, Vec b) { return a / b; }
/// a * b + c
RRT_INLINE Vec multiply_add(Vec a, Vec b, Vec c) { return a * b + c; }
/// c - a * b
RRT_INLINE Vec subtract_product(Vec a, Vec b, Vec c) { return c - a * b; }

RRT_INLINE Vec select(Mask mask, Vec a, Vec b) {
    return reinterpret_cast<Vec>((reinterpret_cast<Mask>(a) & mask) |
                                 (reinterpret_cast<Mask>(b) & ~mask));
}
/// b where one of them is NaN.
RRT_INLINE Vec larger(Vec a, Vec b) { return select(a > b, a, b); }
RRT_INLINE Vec smaller(Vec a, Vec b) { return select(a < b, a, b); }

}  // namespace
}  // namespace rrt::nn::RRT_ISA
