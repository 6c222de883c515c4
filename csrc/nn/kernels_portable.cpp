#include "nn/includes.h"

#define RRT_ISA portable
#include "nn/kernels.inl"
#include "nn/vectors_portable.inl"

namespace rrt::nn {
const Kernels kPortable{"portable",         portable::load_row, portable::direct,   portable::tail,
                        portable::winograd, portable::resize,   portable::store_row};
}
