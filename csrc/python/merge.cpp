#include "cpu/run.h"
#include "python/arrays.h"
#include "python/bindings.h"
#include "python/gil.h"

namespace rrt::python {
namespace {

/// Tile rows [begin, end) from None or (begin, end).
Span to_rows(const py::object& rows, const Grid& grid) {
    if (rows.is_none()) return {0, grid.y.count};
    if (!(py::isinstance<py::tuple>(rows) || py::isinstance<py::list>(rows)) ||
        py::len(rows) != 2) {
        refuse("rows is " + py::repr(rows).cast<std::string>() +
               "; it must be None or (begin, end) in rows of tiles");
    }
    const auto pair = py::reinterpret_borrow<py::sequence>(rows);
    const Index end = to_index(pair[1], "rows[1]", 1, grid.y.count);
    return {to_index(pair[0], "rows[0]", 0, end - 1), end};
}

bool merge_into(const py::object& frame_object, const py::object& tiles_object, const Grid& grid,
                const py::object& rows, const py::object& peak, const py::object& threads) {
    const py::array frame = to_array(frame_object, "frame", Access::write);
    const py::array tiles = to_array(tiles_object, "tiles", Access::read);
    MergeJob job{};
    job.grid = grid;
    job.frame = to_frame(frame, "frame", true);
    job.tiles = to_tiles(tiles, "tiles");
    const AxisSpec& y = grid.y.spec;
    const AxisSpec& x = grid.x.spec;
    if (job.frame.height != grid.y.output_length() || job.frame.width != grid.x.output_length()) {
        refuse("frame has shape " + shape_text(frame) + "; the grid makes a frame of (" +
               std::to_string(grid.y.output_length()) + ", " +
               std::to_string(grid.x.output_length()) + ")");
    }
    if (job.tiles.channels != job.frame.channels || job.tiles.height != y.tile * y.scale ||
        job.tiles.width != x.tile * x.scale) {
        refuse("tiles has shape " + shape_text(tiles) + "; this frame and grid need (n, " +
               std::to_string(job.frame.channels) + ", " + std::to_string(y.tile * y.scale) + ", " +
               std::to_string(x.tile * x.scale) + ")");
    }
    const Span tile_rows = to_rows(rows, grid);
    const bool reads_row_before = tile_rows.begin > 0 && y.feather > 0;
    const Index needed = (tile_rows.size() + (reads_row_before ? 1 : 0)) * grid.x.count;
    if (job.tiles.count < needed) {
        refuse("tiles has shape " + shape_text(tiles) + "; these rows are made from " +
               std::to_string(needed) + " tiles: enlarge it, or merge fewer rows at a time");
    }
    job.rows = {grid.y.piece(tile_rows.begin).begin, grid.y.piece(tile_rows.end - 1).end};
    job.peak = to_peak(peak, job.frame.sample);
    const int wanted = to_threads(threads);
    refuse_shared_memory(frame, "frame", tiles, "tiles");
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
