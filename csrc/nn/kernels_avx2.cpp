#include "nn/includes.h"

#ifdef __x86_64__

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#define RRT_ISA avx2
#define RRT_LANES 8
#include "nn/kernels.inl"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rrt::nn {
const Kernels kAvx2{"avx2",
                    8,
                    {0.20f, 0.0f, 2.3f},
                    {0.17f, 5.7f, 5.6f},
                    avx2::load_row,
                    avx2::direct,
                    avx2::direct_fp64,
                    nullptr,
                    avx2::winograd,
                    avx2::direct_int8,
                    avx2::quantise,
                    avx2::dequantise,
                    avx2::resize,
                    avx2::store_row};
}

#endif
