#include "cpu/includes.h"

#define RRT_ISA portable
#include "cpu/kernels.inl"

namespace rrt::cpu {
const Kernels kPortable{"portable", portable::split, portable::merge, portable::upsample};
}
