#include "cpu/includes.h"

#ifdef __x86_64__

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,f16c")
#endif

#define RRT_ISA avx2
#define RRT_F16C
#include "cpu/kernels.inl"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rrt::cpu {
const Kernels kAvx2{"avx2",     avx2::split, avx2::merge, avx2::upsample, avx2::chroma_inputs,
                    avx2::luma, avx2::colour};
}

#endif
