#include "cpu/kernels.h"

#include <atomic>

namespace rrt::cpu {
namespace {

std::atomic<const Kernels*>& current() {
    static std::atomic<const Kernels*> chosen{available_kernels().back()};
    return chosen;
}

}  // namespace

std::vector<const Kernels*> available_kernels() {
    std::vector<const Kernels*> found{&kPortable};
#ifdef __x86_64__
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
    if (avx2) found.push_back(&kAvx2);
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        found.push_back(&kAvx512);
    }
#elif defined(__aarch64__)
    found.push_back(&kNeon);
#endif
    return found;
}

const Kernels& kernels() { return *current().load(std::memory_order_relaxed); }

bool select_kernels(const std::string& name) {
    for (const Kernels* candidate : available_kernels()) {
        if (name == candidate->name) {
            current().store(candidate, std::memory_order_relaxed);
            return true;
        }
    }
    return false;
}

}  // namespace rrt::cpu
