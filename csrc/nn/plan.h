// Which algorithm makes each layer: estimated from the network and the instruction set.
#pragma once

#include <string>

#include "nn/kernels.h"
#include "nn/network.h"

namespace rrt::nn {

inline constexpr Algorithm kAlgorithms[] = {
    Algorithm::direct,     Algorithm::tail,        Algorithm::winograd,   Algorithm::winograd_bf16,
    Algorithm::direct_amx, Algorithm::direct_int8, Algorithm::direct_vnni};

/// A set of algorithms.
class Algorithms {
  public:
    constexpr Algorithms() = default;
    constexpr Algorithms& add(Algorithm algorithm) {
        bits_ |= 1u << static_cast<unsigned>(algorithm);
        return *this;
    }
    constexpr bool has(Algorithm algorithm) const {
        return (bits_ >> static_cast<unsigned>(algorithm) & 1u) != 0;
    }

  private:
    unsigned bits_ = 0;
};

/// Those that can run beside some kernels here, in fp32, or in bf16 and fp32; and those of int8.
Algorithms available_algorithms(const Kernels& kernels, bool bf16);

/// What a choice depends on: a convolution, and whether its source lies in blocks of channels.
struct Work {
    int taps;
    int inputs;
    int outputs;
    bool blocked;
};

/// Estimated time for each pixel, as Costs has it.
float estimate(const Work& work, Algorithm algorithm, const Kernels& kernels);

/// The one of the allowed algorithms for floats that should be the fastest; direct where none can
/// make it.
Algorithm choose(const Work& work, Algorithms allowed, const Kernels& kernels);

const char* name_of(Algorithm algorithm);
bool find_algorithm(const std::string& name, Algorithm& found);

/// Bytes for the rows that a band keeps, which should stay in the second-level cache.
Index ring_bytes();

}  // namespace rrt::nn
