#include "cuda/host.h"

#include <utility>
#include <vector>

#include "cuda/graph.h"

namespace rrt::cuda {
namespace {

using Works = std::vector<std::function<void()>>;

/// Work runs when it comes, unless a capture takes it.
class AtOnce : public host::Queue {
  public:
    void enqueue(std::uintptr_t, std::function<void()> work) override {
        if (captured_ != nullptr) {
            captured_->push_back(std::move(work));
        } else {
            work();
        }
    }

    void begin_capture(std::uintptr_t) override {
        if (captured_ != nullptr) throw Error("a capture has begun already");
        captured_ = std::make_shared<Works>();
    }

    std::shared_ptr<void> end_capture(std::uintptr_t) override {
        return std::exchange(captured_, nullptr);
    }

    void launch(std::uintptr_t, const std::shared_ptr<void>& captured) override {
        for (const auto& work : *std::static_pointer_cast<Works>(captured)) work();
    }

  private:
    std::shared_ptr<Works> captured_;
};

std::unique_ptr<host::Queue>& queue() {
    // Never destroyed: one of Python's would need the interpreter, which ends earlier.
    static auto* const current = new std::unique_ptr<host::Queue>(std::make_unique<AtOnce>());
    return *current;
}

}  // namespace

void host::set_queue(std::unique_ptr<Queue> next) {
    queue() = next ? std::move(next) : std::make_unique<AtOnce>();
}

void host::enqueue(std::uintptr_t stream, std::function<void()> work) {
    queue()->enqueue(stream, std::move(work));
}

Graph Graph::capture(Stream stream, const std::function<void()>& work) {
    queue()->begin_capture(stream);
    try {
        work();
    } catch (...) {
        queue()->end_capture(stream);
        throw;
    }
    return Graph(queue()->end_capture(stream));
}

void Graph::launch(Stream stream) const { queue()->launch(stream, recorded_); }

}  // namespace rrt::cuda
