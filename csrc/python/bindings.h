// The parts of the extension module, one file for each.
#pragma once

#include <pybind11/pybind11.h>
// All of them convert containers in the same way, or the linker may take another's way.
#include <pybind11/stl.h>

#include "core/geometry.h"

namespace rrt::python {

void bind_grid(pybind11::module_& module);
void bind_split(pybind11::module_& module);
void bind_merge(pybind11::module_& module);
void bind_upsample(pybind11::module_& module);
void bind_chroma(pybind11::module_& module);
void bind_colour(pybind11::module_& module);
void bind_fill(pybind11::module_& module);
void bind_isa(pybind11::module_& module);
void bind_nn(pybind11::module_& module);
void bind_changes(pybind11::module_& module);

}  // namespace rrt::python
