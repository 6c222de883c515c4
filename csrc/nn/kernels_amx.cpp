#include "nn/includes.h"

#ifdef __x86_64__

#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#ifdef __clang__
#pragma clang attribute push(                                                                 \
    __attribute__((                                                                           \
        target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")
#endif

#define RRT_ISA amx
#define RRT_LANES 16
#include "nn/direct_amx.inl"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rrt::nn {

void direct_amx(const ConvCall& call) { amx::direct_on_tiles(call); }

bool allow_amx() {
#ifdef __linux__
    unsigned a = 0, b = 0, c = 0, d = 0;
    const bool known = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0;
    const bool tiles = known && (d >> 24 & 1) != 0 && (d >> 22 & 1) != 0;
    // The system gives the tiles' registers to processes that ask for them.
    constexpr long kRequestPermission = 0x1023;
    constexpr long kTileData = 18;
    return tiles && __builtin_cpu_supports("avx512bf16") &&
           syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
    return false;
#endif
}

}  // namespace rrt::nn

#endif
