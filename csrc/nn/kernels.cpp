#include "nn/kernels.h"

#include <cstring>

#include "cpu/kernels.h"

namespace rrt::nn {

const Kernels& kernels() {
    [[maybe_unused]] const char* const name = cpu::kernels().name;
#ifdef __x86_64__
    // Every CPU with AVX2 but a few forgotten ones has FMA, too.
    const bool fma = __builtin_cpu_supports("fma");
    if (fma && std::strcmp(name, "avx512") == 0) return kAvx512;
    if (fma && std::strcmp(name, "avx2") == 0) return kAvx2;
#elif defined(__aarch64__)
    if (std::strcmp(name, "neon") == 0) return kNeon;
#endif
    return kPortable;
}

bool has_bf16() {
#ifdef __x86_64__
    return &kernels() == &kAvx512 && cpu::uses_additions() && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

bool has_amx() {
#ifdef __x86_64__
    static const bool allowed = allow_amx();
    return &kernels() == &kAvx512 && cpu::uses_additions() && allowed;
#else
    return false;
#endif
}

DirectInt8 vnni() {
    if (!cpu::uses_additions()) return nullptr;
#ifdef __x86_64__
    if (&kernels() == &kAvx512 && __builtin_cpu_supports("avx512vnni")) return direct_avx512_vnni;
#ifdef RRT_AVX_VNNI
    if (&kernels() != &kPortable && __builtin_cpu_supports("avxvnni")) return direct_avx_vnni;
#endif
#endif
    return nullptr;
}

bool cpu_adds_bytes_in_16_bits() {
#ifdef __x86_64__
    __builtin_cpu_init();
#ifdef RRT_AVX_VNNI
    if (__builtin_cpu_supports("avxvnni")) return false;
#endif
    return !__builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

}  // namespace rrt::nn
