// Stands in for CUDA where the tests run the kernels on the host.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "cuda/errors.h"

namespace rrt::cuda::host {

/// Runs what is queued; without one, work runs at once and a capture is a list of it.
struct Queue {
    virtual ~Queue() = default;
    virtual void enqueue(std::uintptr_t stream, std::function<void()> work) = 0;
    virtual void begin_capture(std::uintptr_t stream) = 0;
    virtual std::shared_ptr<void> end_capture(std::uintptr_t stream) = 0;
    virtual void launch(std::uintptr_t stream, const std::shared_ptr<void>& captured) = 0;
};

/// None to run at once.
void set_queue(std::unique_ptr<Queue> queue);

void enqueue(std::uintptr_t stream, std::function<void()> work);

}  // namespace rrt::cuda::host
