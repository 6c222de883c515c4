#include "cpu/run.h"
#include "python/bindings.h"
#include "python/gil.h"
#include "python/jobs.h"

namespace rrt::python {
namespace {

void split_into(const py::object& tiles_object, const py::object& frame_object, const Grid& grid,
                const py::object& first, const py::object& peak, const py::object& threads) {
    const py::array tiles = to_array(tiles_object, "tiles", Access::write);
    const py::array frame = to_array(frame_object, "frame", Access::read);
    const SplitJob job = to_split_job(tiles, frame, grid, first, peak);
    const int wanted = to_threads(threads);
    without_gil([&] { cpu::split(job, wanted); });
}

}  // namespace

void bind_split(py::module_& module) {
    module.def("split_into", &split_into, py::arg("tiles"), py::arg("frame"), py::arg("grid"),
               py::kw_only(), py::arg("first") = 0, py::arg("peak") = py::none(),
               py::arg("threads") = 1, "Fill tiles[k] from tile first + k of a frame.");
}

}  // namespace rrt::python
