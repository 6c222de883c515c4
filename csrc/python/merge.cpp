#include "cpu/run.h"
#include "python/bindings.h"
#include "python/gil.h"
#include "python/jobs.h"

namespace rrt::python {
namespace {

bool merge_into(const py::object& frame_object, const py::object& tiles_object, const Grid& grid,
                const py::object& rows, const py::object& peak, const py::object& threads) {
    const py::array frame = to_array(frame_object, "frame", Access::write);
    const py::array tiles = to_array(tiles_object, "tiles", Access::read);
    const MergeJob job = to_merge_job(frame, tiles, grid, to_tile_rows(rows, grid), peak);
    const int wanted = to_threads(threads);
    bool finite = true;
    without_gil([&] { finite = cpu::merge(job, wanted); });
    return finite;
}

}  // namespace

void bind_merge(py::module_& module) {
    module.def("merge_into", &merge_into, py::arg("frame"), py::arg("tiles"), py::arg("grid"),
               py::kw_only(), py::arg("rows") = py::none(), py::arg("peak") = py::none(),
               py::arg("threads") = 1,
               "Write the frame rows that rows of tiles complete; False if NaN or infinity came.");
}

}  // namespace rrt::python
