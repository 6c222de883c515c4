#include "nn/includes.h"

#if defined(__x86_64__)

#ifdef __clang__
#pragma clang attribute push(                                                          \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif

#define RRT_ISA avx512_vnni
#define RRT_LANES 16
#define RRT_VNNI
#include "nn/direct_int8.inl"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rrt::nn {
void direct_avx512_vnni(const ConvCall& call) { avx512_vnni::direct_int8(call); }
}  // namespace rrt::nn

#endif
