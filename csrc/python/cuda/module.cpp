#include <exception>
#include <string>

#include "cuda/errors.h"
#include "python/cuda/bindings.h"

namespace rrt::python {
namespace {

void translate(std::exception_ptr error) {
    try {
        if (error) std::rethrow_exception(error);
    } catch (const cuda::Error& failure) {
        const py::object kind = py::module_::import("restore_rt.errors").attr("BackendError");
        const std::string message = std::string("CUDA: ") + failure.what() +
                                    "; `restore-rt doctor` tells what is missing on this machine";
        PyErr_SetString(kind.ptr(), message.c_str());
    }
}

/// Compute capabilities for which there is code, as in 75, 80.
py::tuple architectures() {
#ifdef RRT_CUDA
    return py::make_tuple(RRT_CUDA);
#else
    return py::make_tuple();
#endif
}

}  // namespace
}  // namespace rrt::python

#ifndef RRT_MODULE
#define RRT_MODULE _cuda
#endif

PYBIND11_MODULE(RRT_MODULE, module) {
    using namespace rrt::python;
    module.doc() = "The kernels of restore_rt on NVIDIA GPUs.";
    // TileGrid is defined there.
    py::module_::import("restore_rt._ext");
    py::register_exception_translator(&translate);
    module.def("architectures", &architectures, "Compute capabilities that it was built for.");
    bind_operations(module);
    bind_graph(module);
    bind_dlpack(module);
#ifndef RRT_CUDA
    bind_host_queue(module);
#endif
}
