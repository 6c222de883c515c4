#include "cuda/graph.h"

#include <pybind11/functional.h>

#include "python/cuda/bindings.h"
#include "python/gil.h"

namespace rrt::python {

void bind_graph(py::module_& module) {
    // Local to the module: the tests load a build for the host beside the real one.
    py::class_<cuda::Graph>(module, "Graph", py::module_local(),
                            "Work on a stream, recorded once and queued again.")
        .def_static(
            "capture",
            [](const py::object& stream, const py::function& work) {
                return cuda::Graph::capture(to_stream(stream), [&] { work(); });
            },
            py::arg("stream"), py::arg("work"),
            "Record what work() queues on the stream, which does not run meanwhile.")
        .def(
            "launch",
            [](const cuda::Graph& graph, const py::object& stream) {
                const cuda::Stream queue = to_stream(stream);
                without_gil([&] { graph.launch(queue); });
            },
            py::arg("stream"), "Queue the recorded work.");
}

}  // namespace rrt::python
