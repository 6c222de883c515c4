#include "cpu/includes.h"

#define RRT_ISA portable
#include "cpu/kernels.inl"

namespace rrt::cpu {
const Kernels kPortable{"portable", portable::split, portable::merge, portable::upsample};
#ifdef __aarch64__
// Every such CPU has NEON, and the compiler uses it in these; a network's kernels are written for
// it.
const Kernels kNeon{"neon", portable::split, portable::merge, portable::upsample};
#endif
}  // namespace rrt::cpu
