#include "cpu/run.h"
#include "python/bindings.h"
#include "python/gil.h"
#include "python/jobs.h"

namespace rrt::python {
namespace {

void upsample_plane_into(const py::object& dst_object, const py::object& src_object,
                         const py::object& scale, const py::object& phase, const py::object& peak,
                         const py::object& threads) {
    const py::array dst = to_array(dst_object, "dst", Access::write);
    const py::array src = to_array(src_object, "src", Access::read);
    const UpsampleJob job = to_upsample_job(dst, src, scale, phase, peak);
    const int wanted = to_threads(threads);
    without_gil([&] { cpu::upsample(job, wanted); });
}

}  // namespace

void bind_upsample(py::module_& module) {
    module.def("upsample_plane_into", &upsample_plane_into, py::arg("dst"), py::arg("src"),
               py::kw_only(), py::arg("scale"), py::arg("phase") = py::make_tuple(0.5, 0.5),
               py::arg("peak") = py::none(), py::arg("threads") = 1,
               "Enlarge a plane by a whole number, bicubic (Catmull-Rom).");
}

}  // namespace rrt::python
