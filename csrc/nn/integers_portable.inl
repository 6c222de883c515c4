// Four sums in the compiler's own terms.
namespace rrt::nn::RRT_ISA {
namespace {

constexpr int kInt8Pixels = 4;

typedef std::int32_t Ints __attribute__((vector_size(16)));
typedef float Floats __attribute__((vector_size(16)));
typedef std::uint8_t Bytes __attribute__((vector_size(4)));

RRT_INLINE Ints no_ints() { return Ints{}; }
RRT_INLINE Ints load_ints(const void* from) {
    Ints value;
    std::memcpy(&value, from, sizeof value);
    return value;
}
RRT_INLINE Ints spread_int(int value) { return Ints{value, value, value, value}; }
RRT_INLINE Ints add_ints(Ints a, Ints b) { return a + b; }
RRT_INLINE Vec to_floats(Ints value) {
    const Floats floats = __builtin_convertvector(value, Floats);
    return reinterpret_cast<Vec>(floats);
}
/// Halves go to the even number; of floats of less than 2^22.
RRT_INLINE Ints to_ints(Vec value) {
    const float shift = 12582912.0f;  // 1.5 * 2^23: the sum has no room for a fraction
    const int bits = 0x4b400000;
    return reinterpret_cast<Ints>(add(value, spread(shift))) - spread_int(bits);
}
RRT_INLINE Ints load_bytes(const void* from) {
    Bytes bytes;
    std::memcpy(&bytes, from, sizeof bytes);
    return __builtin_convertvector(bytes, Ints);
}
/// The sums are 0 to 255.
RRT_INLINE void store_bytes(void* to, Ints value) {
    const Bytes bytes = __builtin_convertvector(value, Bytes);
    std::memcpy(to, &bytes, sizeof bytes);
}
RRT_INLINE void store_word(void* to, Ints value) { store_bytes(to, value); }

struct Word {
    std::uint8_t bytes[4];
};
struct Weights {
    Ints bytes[4];
};

RRT_INLINE Word spread_word(const float* from) {
    Word word;
    std::memcpy(&word, from, sizeof word);
    return word;
}
RRT_INLINE Weights load_weights(const float* from) {
    std::int8_t bytes[16];
    std::memcpy(bytes, from, sizeof bytes);
    Weights weights;
    for (int i = 0; i < 4; ++i) {
        weights.bytes[i] = Ints{bytes[i], bytes[4 + i], bytes[8 + i], bytes[12 + i]};
    }
    return weights;
}
RRT_INLINE Ints dot(Ints sum, const Word& word, const Weights& weights) {
    for (int i = 0; i < 4; ++i) sum += weights.bytes[i] * spread_int(word.bytes[i]);
    return sum;
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
