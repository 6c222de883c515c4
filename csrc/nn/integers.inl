// Vectors of RRT_LANES 32-bit sums, and products of bytes in fours, exact on every instruction set.
#pragma once

#include "nn/vectors.inl"

#if RRT_LANES == 16
#include "nn/integers_avx512.inl"
#elif RRT_LANES == 8
#include "nn/integers_avx2.inl"
#else
#include "nn/integers_portable.inl"
#endif
