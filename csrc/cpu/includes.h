// All that the kernels include, for one reason: it must come before the compiler is told to use a
// wider instruction set. An inline function that was compiled after that may be the copy that the
// linker keeps for the whole program, and then crash an older CPU. For the same reason the kernels
// call nothing from the standard library.
#pragma once

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include <cstddef>
#include <cstdint>

#include "core/geometry.h"
#include "core/jobs.h"
#include "core/luma.h"
#include "core/samples.h"
#include "core/taps.h"
#include "cpu/kernels.h"
