#include "nn/includes.h"

#ifdef __aarch64__

#define RRT_ISA neon
#define RRT_LANES 4
#define RRT_NEON
#include "nn/kernels.inl"

namespace rrt::nn {
// The costs are those of the portable kernels until a processor is measured.
const Kernels kNeon{"neon",
                    4,
                    {0.33f, 0.0f, 2.2f},
                    {0.43f, 3.1f, 3.6f},
                    neon::load_row,
                    neon::direct,
                    neon::direct_fp64,
                    nullptr,
                    neon::winograd,
                    neon::direct_int8,
                    neon::quantise,
                    neon::dequantise,
                    neon::resize,
                    neon::store_row};
}  // namespace rrt::nn

#endif
