// Convolutions of floats in a network of bytes, summed in double: the product of two floats is
// exact there, so a sum has the same bits with and without fused multiply-adds. In float it could
// differ by its last bit, send the next value to another byte, and change all that follows.
#pragma once

#include "nn/finish.inl"

namespace rrt::nn::RRT_ISA {
namespace {

// Half a vector's channels at a time: as doubles they take a whole register.
constexpr int kHalfLanes = kLanes / 2;
constexpr int kFp64Pixels = kLanes == 16 ? 8 : 4;

typedef float HalfFloats __attribute__((vector_size(kHalfLanes * 4), aligned(4), may_alias));
typedef double Doubles __attribute__((vector_size(kHalfLanes * 8)));

RRT_INLINE Doubles widen(const float* from) {
    return __builtin_convertvector(*reinterpret_cast<const HalfFloats*>(from), Doubles);
}

/// sum + value * tap, rounded once with and without a fused multiply-add.
RRT_INLINE Doubles add_product(Doubles sum, double value, Doubles tap) {
#if RRT_LANES == 16
    return _mm512_fmadd_pd(_mm512_set1_pd(value), tap, sum);
#elif RRT_LANES == 8
    return _mm256_fmadd_pd(_mm256_set1_pd(value), tap, sum);
#else
    return sum + value * tap;
#endif
}

/// Pixels [0, pixels) of one row at half a vector's channels; in `out` they are kLanes apart.
template <int pixels, int taps>
RRT_APART void fp64_sums(const ConvCall& call, const float* const* rows, const float* weights,
                         const float* bias, float* out) {
    constexpr int reach = taps / 2;
    Doubles sums[pixels];
    RRT_UNROLL
    for (int x = 0; x < pixels; ++x) sums[x] = widen(bias);
    for (int y = 0; y < taps; ++y) {
        const float* block = rows[y];
        for (int left = call.filter->inputs; left > 0; left -= kBlock, block += call.source_block) {
            for (int c = 0; c < (left < kBlock ? left : kBlock); ++c) {
                Doubles tap[taps];
                RRT_UNROLL
                for (int k = 0; k < taps; ++k) tap[k] = widen(weights + k * kBlock);
                weights += taps * kBlock;
                RRT_UNROLL
                for (int x = -reach; x < pixels + reach; ++x) {
                    const double value = block[x * call.source_pixel + c];
                    RRT_UNROLL
                    for (int k = 0; k < taps; ++k) {
                        const int at = x + reach - k;
                        if (at >= 0 && at < pixels) sums[at] = add_product(sums[at], value, tap[k]);
                    }
                }
            }
        }
    }
    RRT_UNROLL
    for (int x = 0; x < pixels; ++x) {
        const HalfFloats made = __builtin_convertvector(sums[x], HalfFloats);
        std::memcpy(out + x * kLanes, &made, sizeof made);
    }
}

template <int pixels, int taps>
void fp64_tile(const ConvCall& call, int channel, int y, Index column, const Ending& ending) {
    const Filter& filter = *call.filter;
    const Index block = Index{filter.inputs} * taps * taps * kBlock;
    const float* const weights = filter.weights + channel / kBlock * block + channel % kBlock;
    const float* rows[taps];
    for (int i = 0; i < taps; ++i) {
        rows[i] = call.sources[y + 1 - taps / 2 + i] + column * call.source_pixel;
    }
    float made[pixels * kLanes] = {};
    for (int half = 0; half < kLanes && channel + half < filter.outputs; half += kHalfLanes) {
        fp64_sums<pixels, taps>(call, rows, weights + half, filter.bias + channel + half,
                                made + half);
    }
    float* const target = call.targets[y] + channel / kBlock * call.target_block + channel % kBlock;
    for (int x = 0; x < pixels; ++x) {
        store(target + (column + x) * call.target_pixel,
              ending(load(made + x * kLanes), column + x));
    }
}

template <int taps>
void fp64_rows(const ConvCall& call) {
    for (int channel = 0; channel < call.filter->outputs; channel += kLanes) {
        for (int y = 0; y < kTile; ++y) {
            if (call.targets[y] == nullptr) continue;
            const Ending ending = ending_of(call, y, channel);
            Index x = 0;
            for (; x + kFp64Pixels <= call.columns; x += kFp64Pixels) {
                fp64_tile<kFp64Pixels, taps>(call, channel, y, x, ending);
            }
            for (; x < call.columns; ++x) fp64_tile<1, taps>(call, channel, y, x, ending);
        }
    }
}

void direct_fp64(const ConvCall& call) {
    if (call.filter->taps == 1) return fp64_rows<1>(call);
    fp64_rows<3>(call);
}

}  // namespace
}  // namespace rrt::nn::RRT_ISA
