// Work for every thread of a launch, queued on a stream; on the host, where the tests run the same
// kernels, one after another.
#pragma once

#include "core/geometry.h"
#include "cuda/stream.h"

#ifdef __CUDACC__
#include "cuda/check.h"
#else
#include "cuda/host.h"
#endif

namespace rrt::cuda {

/// Threads of a launch: groups of pixels across rows of several pieces or tiles.
struct Shape {
    Index pieces;
    Index rows;
    Index groups;

    bool empty() const { return pieces < 1 || rows < 1 || groups < 1; }
};

#ifdef __CUDACC__

inline constexpr int kAcross = 32;
inline constexpr int kDown = 8;
// What a grid may have in its second and third dimension; threads go on from there.
inline constexpr Index kMostBlocks = 65535;

template <class Work>
__global__ void __launch_bounds__(kAcross* kDown)
    run(const __grid_constant__ Work work, const __grid_constant__ Shape shape) {
    const Index group = static_cast<Index>(blockIdx.x) * kAcross + threadIdx.x;
    if (group >= shape.groups) return;
    for (Index piece = blockIdx.z; piece < shape.pieces; piece += gridDim.z) {
        for (Index row = static_cast<Index>(blockIdx.y) * kDown + threadIdx.y; row < shape.rows;
             row += static_cast<Index>(gridDim.y) * kDown) {
            work(piece, row, group);
        }
    }
}

/// Calls work(piece, row, group) on the device.
template <class Work>
void launch(const Work& work, const Shape& shape, Stream stream) {
    if (shape.empty()) return;
    const auto blocks = [](Index n) { return n < kMostBlocks ? n : kMostBlocks; };
    const Index across = (shape.groups + kAcross - 1) / kAcross;
    const Index down = blocks((shape.rows + kDown - 1) / kDown);
    const dim3 grid(static_cast<unsigned>(across), static_cast<unsigned>(down),
                    static_cast<unsigned>(blocks(shape.pieces)));
    run<<<grid, dim3(kAcross, kDown), 0, reinterpret_cast<cudaStream_t>(stream)>>>(work, shape);
    check(cudaGetLastError(), "a kernel's launch");
}

#else

template <class Work>
void launch(const Work& work, const Shape& shape, Stream stream) {
    host::enqueue(stream, [work, shape] {
        for (Index piece = 0; piece < shape.pieces; ++piece) {
            for (Index row = 0; row < shape.rows; ++row) {
                for (Index group = 0; group < shape.groups; ++group) work(piece, row, group);
            }
        }
    });
}

#endif

}  // namespace rrt::cuda
