#include "nn/plan.h"

#include <algorithm>
#ifdef __linux__
#include <unistd.h>
#endif

namespace rrt::nn {
namespace {

// Of four rows and 16 pixels that AMX makes at once.
constexpr float kPixelsOfTiles = 64.0f;

/// On Intel's processors a vector's dot products of bf16 take more than twice as long as its
/// multiply-adds of fp32, of which they replace two.
bool is_intel() {
#ifdef __x86_64__
    __builtin_cpu_init();
    return __builtin_cpu_is("intel");
#else
    return false;
#endif
}

Costs costs_of(Algorithm algorithm, const Kernels& kernels) {
    switch (algorithm) {
        case Algorithm::tail:
            return {0.77f, 0.0f, 1.8f};
        case Algorithm::winograd_bf16:
            // The first is measured; the second is that of an fp32 product, for AMD's are as fast.
            return {is_intel() ? 0.83f : 0.22f, 2.6f, 4.3f};
        case Algorithm::direct_amx:
            return {10.6f, 1.35f, 3.2f};
        case Algorithm::winograd:
            return kernels.winograd_costs;
        default:  // those of int8 are not chosen by cost
            return kernels.direct_costs;
    }
}

/// Multiply-adds for each pixel.
float products_of(const Work& work, Algorithm algorithm, int lanes) {
    const int outputs = (work.outputs + lanes - 1) / lanes;
    const int blocks = (work.inputs + kBlock - 1) / kBlock;
    const float points = static_cast<float>(kPoints) / (kTile * kTile);
    switch (algorithm) {
        case Algorithm::tail:
            return points / 4 * static_cast<float>(blocks * kBlock);
        case Algorithm::winograd:
            return points * static_cast<float>(work.inputs * outputs);
        case Algorithm::winograd_bf16:
            return points / 2 * static_cast<float>(blocks * kBlock * outputs);
        case Algorithm::direct_amx: {
            const int products = tile_steps(work.taps, blocks) * work.taps * kTile * outputs;
            return static_cast<float>(products) / kPixelsOfTiles;
        }
        default:
            break;
    }
    return static_cast<float>(work.taps * work.taps * work.inputs * outputs);
}

bool can_make(const Work& work, Algorithm algorithm) {
    if (is_int8(algorithm)) return false;
    if (algorithm == Algorithm::direct) return true;
    if (!work.blocked) return false;
    if (algorithm == Algorithm::direct_amx) return true;
    return work.taps == 3 && (algorithm != Algorithm::tail || work.outputs <= kTailPixel);
}

}  // namespace

Algorithms available_algorithms(const Kernels& kernels, bool bf16) {
    Algorithms found;
    found.add(Algorithm::direct).add(Algorithm::winograd).add(Algorithm::direct_int8);
    if (vnni() != nullptr) found.add(Algorithm::direct_vnni);
    if (kernels.tail != nullptr) found.add(Algorithm::tail);
    if (bf16 && has_bf16()) found.add(Algorithm::winograd_bf16);
    if (bf16 && has_amx()) found.add(Algorithm::direct_amx);
    return found;
}

float estimate(const Work& work, Algorithm algorithm, const Kernels& kernels) {
    const int lanes = kernels.lanes;
    const Costs costs = costs_of(algorithm, kernels);
    const auto vectors = [&](int channels) {
        return static_cast<float>((channels + lanes - 1) / lanes);
    };
    return costs.product * products_of(work, algorithm, lanes) +
           costs.input * vectors(work.inputs) + costs.output * vectors(work.outputs);
}

Algorithm choose(const Work& work, Algorithms allowed, const Kernels& kernels) {
    const Algorithm* best = nullptr;
    float least = 0.0f;
    for (const Algorithm& algorithm : kAlgorithms) {
        if (!allowed.has(algorithm) || !can_make(work, algorithm)) continue;
        const float cost = estimate(work, algorithm, kernels);
        if (best != nullptr && cost >= least) continue;
        best = &algorithm;
        least = cost;
    }
    return best == nullptr ? Algorithm::direct : *best;
}

const char* name_of(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::direct_fp64:
            return "direct_fp64";
        case Algorithm::tail:
            return "tail";
        case Algorithm::winograd:
            return "winograd";
        case Algorithm::winograd_bf16:
            return "winograd_bf16";
        case Algorithm::direct_amx:
            return "direct_amx";
        case Algorithm::direct_int8:
            return "direct_int8";
        case Algorithm::direct_vnni:
            return "direct_vnni";
        case Algorithm::quantise:
            return "quantise";
        case Algorithm::dequantise:
            return "dequantise";
        case Algorithm::direct:
            break;
    }
    return "direct";
}

bool find_algorithm(const std::string& name, Algorithm& found) {
    for (const Algorithm algorithm : kAlgorithms) {
        if (name != name_of(algorithm)) continue;
        found = algorithm;
        return true;
    }
    return false;
}

Index ring_bytes() {
    // Where the system does not say.
    Index cache = Index{1} << 20;
#ifdef _SC_LEVEL2_CACHE_SIZE
    const long told = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (told > 0) cache = told;
#endif
    // Weights, scratch and the frames want to stay, too. Beyond a mebibyte nothing is gained.
    return std::clamp(cache / 2, Index{128} << 10, Index{1} << 20);
}

}  // namespace rrt::nn
