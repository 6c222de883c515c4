#include "nn/includes.h"

#ifdef __x86_64__

#ifdef __clang__
#pragma clang attribute push(                                                          \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")
#endif

#define RRT_ISA avx512_bf16
#define RRT_LANES 16
#include "nn/winograd_bf16.inl"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rrt::nn {
void winograd_bf16(const ConvCall& call) { avx512_bf16::winograd_in_bf16(call); }
}  // namespace rrt::nn

#endif
