#include "cpu/run.h"
#include "python/arrays.h"
#include "python/bindings.h"
#include "python/gil.h"

namespace rrt::python {
namespace {

void split_into(const py::object& tiles_object, const py::object& frame_object, const Grid& grid,
                const py::object& first, const py::object& peak, const py::object& threads) {
    const py::array tiles = to_array(tiles_object, "tiles", Access::write);
    const py::array frame = to_array(frame_object, "frame", Access::read);
    SplitJob job{};
    job.grid = grid;
    job.tiles = to_tiles(tiles, "tiles");
    job.frame = to_frame(frame, "frame", true);
    const AxisSpec& y = grid.y.spec;
    const AxisSpec& x = grid.x.spec;
    if (job.frame.height != y.length || job.frame.width != x.length) {
        refuse("frame has shape " + shape_text(frame) + "; the grid is for a frame of (" +
               std::to_string(y.length) + ", " + std::to_string(x.length) + ")");
    }
    if (job.tiles.channels != job.frame.channels || job.tiles.height != y.tile ||
        job.tiles.width != x.tile) {
        refuse("tiles has shape " + shape_text(tiles) + "; this frame and grid need (n, " +
               std::to_string(job.frame.channels) + ", " + std::to_string(y.tile) + ", " +
               std::to_string(x.tile) + ")");
    }
    if (job.tiles.count > grid.count()) {
        refuse("tiles has shape " + shape_text(tiles) + "; the grid has only " +
               std::to_string(grid.count()) + " tiles");
    }
    job.first = to_index(first, "first", 0, grid.count() - job.tiles.count);
    job.peak = to_peak(peak, job.frame.sample);
    const int wanted = to_threads(threads);
    refuse_shared_memory(tiles, "tiles", frame, "frame");
    without_gil([&] { cpu::split(job, wanted); });
}

}  // namespace

void bind_split(py::module_& module) {
    module.def("split_into", &split_into, py::arg("tiles"), py::arg("frame"), py::arg("grid"),
               py::kw_only(), py::arg("first") = 0, py::arg("peak") = py::none(),
               py::arg("threads") = 1, "Fill tiles[k] from tile first + k of a frame.");
}

}  // namespace rrt::python
