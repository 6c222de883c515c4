// What CUDA's calls return.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "cuda/errors.h"

namespace rrt::cuda {

inline void check(cudaError_t code, const char* what) {
    if (code == cudaSuccess) return;
    throw Error(std::string(what) + " failed: " + cudaGetErrorString(code) + " (" +
                cudaGetErrorName(code) + ")");
}

}  // namespace rrt::cuda
