#include "nn/includes.h"

#define RRT_ISA portable
#define RRT_LANES 4
#include "nn/kernels.inl"

namespace rrt::nn {
const Kernels kPortable{
    "portable",         portable::load_row,    portable::direct,   nullptr,
    portable::winograd, portable::direct_int8, portable::quantise, portable::dequantise,
    portable::resize,   portable::store_row};
}
