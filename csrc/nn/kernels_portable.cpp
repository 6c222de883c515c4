#include "nn/includes.h"

#define RRT_ISA portable
#define RRT_LANES 4
#include "nn/kernels.inl"

namespace rrt::nn {
const Kernels kPortable{"portable",
                        4,
                        {0.33f, 0.0f, 2.2f},
                        {0.43f, 3.1f, 3.6f},
                        portable::load_row,
                        portable::direct,
                        portable::direct_fp64,
                        nullptr,
                        portable::winograd,
                        portable::direct_int8,
                        portable::quantise,
                        portable::dequantise,
                        portable::resize,
                        portable::store_row};
}
