#include "python/bindings.h"

PYBIND11_MODULE(_ext, module) {
    module.doc() =
        "The kernels of restore_rt: tile geometry, split, merge, upsampling, filling, networks.";
    rrt::python::bind_isa(module);
    rrt::python::bind_grid(module);
    rrt::python::bind_split(module);
    rrt::python::bind_merge(module);
    rrt::python::bind_upsample(module);
    rrt::python::bind_chroma(module);
    rrt::python::bind_colour(module);
    rrt::python::bind_fill(module);
    rrt::python::bind_nn(module);
    rrt::python::bind_changes(module);
}
