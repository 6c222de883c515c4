#include "nn/includes.h"

#ifdef __x86_64__

#ifdef __clang__
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")
#endif

#define RRT_ISA avx512
#define RRT_LANES 16
#include "nn/kernels.inl"
#include "nn/tail_avx512.inl"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rrt::nn {
const Kernels kAvx512{"avx512",
                      16,
                      {0.19f, 0.0f, 3.7f},
                      {0.22f, 3.2f, 5.5f},
                      avx512::load_row,
                      avx512::direct,
                      avx512::direct_fp64,
                      avx512::tail,
                      avx512::winograd,
                      avx512::direct_int8,
                      avx512::quantise,
                      avx512::dequantise,
                      avx512::resize,
                      avx512::store_row};
}

#endif
