#include "nn/includes.h"

#if defined(__x86_64__) && defined(RRT_AVX_VNNI)

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avxvnni")
#endif

#define RRT_ISA avx_vnni
#define RRT_LANES 8
#define RRT_VNNI
#include "nn/direct_int8.inl"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rrt::nn {
void direct_avx_vnni(const ConvCall& call) { avx_vnni::direct_int8(call); }
}  // namespace rrt::nn

#endif
