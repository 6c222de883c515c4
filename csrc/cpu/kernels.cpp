#include "cpu/kernels.h"

#include <atomic>
#include <cstring>

namespace rrt::cpu {
namespace {

const char* const kOnly = "-only";

std::atomic<const Kernels*>& current() {
    static std::atomic<const Kernels*> chosen{available_kernels().back()};
    return chosen;
}

std::atomic<bool> additions{true};

bool has_additions(const Kernels& kernels) { return std::strncmp(kernels.name, "avx", 3) == 0; }

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

std::vector<std::string> isa_names() {
    std::vector<std::string> names;
    for (const Kernels* candidate : available_kernels()) {
        if (has_additions(*candidate)) names.push_back(candidate->name + std::string(kOnly));
        names.push_back(candidate->name);
    }
    return names;
}

std::string isa_name() { return kernels().name + std::string(uses_additions() ? "" : kOnly); }

bool uses_additions() { return additions.load(std::memory_order_relaxed); }

bool select_kernels(const std::string& name) {
    for (const Kernels* candidate : available_kernels()) {
        const bool whole = name == candidate->name;
        if (!whole &&
            !(has_additions(*candidate) && name == candidate->name + std::string(kOnly))) {
            continue;
        }
        current().store(candidate, std::memory_order_relaxed);
        additions.store(whole, std::memory_order_relaxed);
        return true;
    }
    return false;
}

}  // namespace rrt::cpu
