// All that the kernels include, before a wider instruction set is chosen; see cpu/includes.h.
#pragma once

#ifdef __x86_64__
#include <immintrin.h>
#endif
#ifdef __aarch64__
#include <arm_neon.h>
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/geometry.h"
#include "core/jobs.h"
#include "core/luma.h"
#include "core/samples.h"
#include "core/taps.h"
#include "nn/kernels.h"

#define RRT_INLINE inline __attribute__((always_inline))
// What should have the registers to itself.
#define RRT_APART __attribute__((noinline))
#ifdef __clang__
#define RRT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RRT_UNROLL _Pragma("GCC unroll 64")
#endif
