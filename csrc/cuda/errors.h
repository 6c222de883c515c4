#pragma once

#include <stdexcept>

namespace rrt::cuda {

/// A call of CUDA failed.
struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace rrt::cuda
