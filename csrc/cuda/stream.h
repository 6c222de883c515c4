#pragma once

#include <cstdint>

namespace rrt::cuda {

/// A CUDA stream's handle.
using Stream = std::uintptr_t;

}  // namespace rrt::cuda
