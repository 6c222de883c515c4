// The vectors of the instruction set that is being compiled: RRT_LANES floats each.
#pragma once

#if RRT_LANES == 16
#include "nn/vectors_avx512.inl"
#elif RRT_LANES == 8
#include "nn/vectors_avx2.inl"
#elif defined(RRT_NEON)
#include "nn/vectors_neon.inl"
#else
#include "nn/vectors_portable.inl"
#endif
