// Only in the build for the host: tests decide when queued work runs.
#include <pybind11/functional.h>

#include "cuda/host.h"
#include "python/cuda/bindings.h"

namespace rrt::python {
namespace {

class PythonQueue : public cuda::host::Queue {
  public:
    explicit PythonQueue(py::object queue) : queue_(std::move(queue)) {}

    ~PythonQueue() override {
        const py::gil_scoped_acquire gil;
        queue_ = py::object();
    }

    void enqueue(std::uintptr_t stream, std::function<void()> work) override {
        const py::gil_scoped_acquire gil;
        queue_.attr("enqueue")(stream, py::cpp_function(std::move(work)));
    }

    void begin_capture(std::uintptr_t stream) override {
        const py::gil_scoped_acquire gil;
        queue_.attr("begin_capture")(stream);
    }

    std::shared_ptr<void> end_capture(std::uintptr_t stream) override {
        const py::gil_scoped_acquire gil;
        auto* const captured = new py::object(queue_.attr("end_capture")(stream));
        return std::shared_ptr<void>(captured, [](void* object) {
            const py::gil_scoped_acquire inner;
            delete static_cast<py::object*>(object);
        });
    }

    void launch(std::uintptr_t stream, const std::shared_ptr<void>& captured) override {
        const py::gil_scoped_acquire gil;
        queue_.attr("launch")(stream, *static_cast<py::object*>(captured.get()));
    }

  private:
    py::object queue_;
};

}  // namespace

void bind_host_queue(py::module_& module) {
    module.def(
        "set_host_queue",
        [](const py::object& queue) {
            cuda::host::set_queue(queue.is_none() ? nullptr : std::make_unique<PythonQueue>(queue));
        },
        py::arg("queue"), "Hand over what is queued to an object; None to run it at once.");
}

}  // namespace rrt::python
