#include "cpu/includes.h"

#ifdef __x86_64__

#ifdef __clang__
#pragma clang attribute push( \
    __attribute__((target("avx2,f16c,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,f16c,avx512f,avx512bw,avx512dq,avx512vl")
#endif

#define RRT_ISA avx512
#define RRT_F16C
#include "cpu/kernels.inl"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rrt::cpu {
const Kernels kAvx512{"avx512",         avx512::split,         avx512::merge,
                      avx512::upsample, avx512::chroma_inputs, avx512::luma,
                      avx512::colour};
}

#endif
