#include "cpu/includes.h"

#define RRT_ISA portable
#include "cpu/kernels.inl"

namespace rrt::cpu {
const Kernels kPortable{"portable",         portable::split,         portable::merge,
                        portable::upsample, portable::chroma_inputs, portable::luma,
                        portable::colour};
#ifdef __aarch64__
// The compiler uses NEON in these, too; it is a network's kernels that differ.
const Kernels kNeon{
    "neon",         portable::split, portable::merge, portable::upsample, portable::chroma_inputs,
    portable::luma, portable::colour};
#endif
}  // namespace rrt::cpu
