#include "nn/includes.h"

#ifdef __aarch64__

#define RRT_ISA neon
#define RRT_LANES 4
#define RRT_NEON
#include "nn/kernels.inl"

namespace rrt::nn {
const Kernels kNeon{"neon",         neon::load_row,    neon::direct,   nullptr,
                    neon::winograd, neon::direct_int8, neon::quantise, neon::dequantise,
                    neon::resize,   neon::store_row};
}

#endif
