// The parts of the CUDA extension module, one file for each, and what they share.
#pragma once

#include <pybind11/pybind11.h>

#include "cuda/stream.h"
#include "python/arrays.h"

namespace rrt::python {

void bind_operations(py::module_& module);
void bind_graph(py::module_& module);
void bind_dlpack(py::module_& module);
#ifndef RRT_CUDA
void bind_host_queue(py::module_& module);
#endif

/// A description of device memory as an array, for the checks that arrays get: nothing here reads
/// what it holds. From anything that has __cuda_array_interface__.
py::array to_device_array(py::handle value, const std::string& name, Access access);

/// A stream's handle: never 0, which would wait for every other stream.
cuda::Stream to_stream(py::handle value);

}  // namespace rrt::python
