// Work on a stream, recorded once and queued again as a whole.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "cuda/stream.h"

namespace rrt::cuda {

class Graph {
  public:
    /// Records what work() queues on the stream, which does not run meanwhile. If work() throws,
    /// nothing is recorded and the stream can be used as before.
    static Graph capture(Stream stream, const std::function<void()>& work);

    void launch(Stream stream) const;

  private:
    explicit Graph(std::shared_ptr<void> recorded) : recorded_(std::move(recorded)) {}

    std::shared_ptr<void> recorded_;
};

}  // namespace rrt::cuda
