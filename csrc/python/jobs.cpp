#include "python/jobs.h"

namespace rrt::python {
namespace {

struct Phase {
    double y;
    double x;
};

Phase to_phase(const py::object& phase) {
    const std::string message = "phase is " + py::repr(phase).cast<std::string>() +
                                "; it must be (vertical, horizontal), each 0 to 1";
    if (!(py::isinstance<py::tuple>(phase) || py::isinstance<py::list>(phase)) ||
        py::len(phase) != 2) {
        refuse(message);
    }
    double values[2];
    for (int i = 0; i < 2; ++i) {
        const py::object item = phase[py::int_(i)];
        values[i] = PyFloat_AsDouble(item.ptr());
        if (PyErr_Occurred()) {
            PyErr_Clear();
            throw py::type_error(message);
        }
        if (!(values[i] >= 0.0 && values[i] <= 1.0)) refuse(message);
    }
    return {values[0], values[1]};
}

void check_size(Index target, Index source, Index scale, const py::array& dst,
                const py::array& src) {
    if (source > kMaxSide) {
        refuse("src has shape " + shape_text(src) + "; a side may be up to " +
               std::to_string(kMaxSide));
    }
    if (target <= scale * (source - 1) || target > scale * source) {
        refuse("dst has shape " + shape_text(dst) + "; for src " + shape_text(src) + " and scale " +
               std::to_string(scale) + " a side must be that of src times scale, or less by less " +
               "than scale");
    }
}

}  // namespace

SplitJob to_split_job(const py::array& tiles, const py::array& frame, const Grid& grid,
                      const py::object& first, const py::object& peak, int shift) {
    SplitJob job{};
    job.grid = grid;
    job.tiles = to_tiles(tiles, "tiles");
    job.frame = to_frame(frame, "frame", kFrameChannels, shift);
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
    job.peak = to_peak(peak, job.frame.sample, shift);
    refuse_shared_memory(tiles, "tiles", frame, "frame");
    return job;
}

Span to_tile_rows(const py::object& rows, const Grid& grid) {
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

MergeJob to_merge_job(const py::array& frame, const py::array& tiles, const Grid& grid,
                      Span tile_rows, const py::object& peak, int shift) {
    MergeJob job{};
    job.grid = grid;
    job.frame = to_frame(frame, "frame", kFrameChannels, shift);
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
    const bool reads_row_before = tile_rows.begin > 0 && y.feather > 0;
    const Index needed = (tile_rows.size() + (reads_row_before ? 1 : 0)) * grid.x.count;
    if (job.tiles.count < needed) {
        refuse("tiles has shape " + shape_text(tiles) + "; these rows are made from " +
               std::to_string(needed) + " tiles: enlarge it, or merge fewer rows at a time");
    }
    job.rows = {grid.y.piece(tile_rows.begin).begin, grid.y.piece(tile_rows.end - 1).end};
    job.peak = to_peak(peak, job.frame.sample, shift);
    refuse_shared_memory(frame, "frame", tiles, "tiles");
    return job;
}

UpsampleJob to_upsample_job(const py::array& dst, const py::array& src, const py::object& scale,
                            const py::object& phase, const py::object& peak, Channels channels,
                            int shift) {
    UpsampleJob job{};
    job.target = to_frame(dst, "dst", channels, shift);
    job.source = to_frame(src, "src", channels, shift);
    if (job.target.sample != job.source.sample) {
        refuse("dst is " + py::str(dst.dtype()).cast<std::string>() + " and src " +
               py::str(src.dtype()).cast<std::string>() + "; they must have the same dtype");
    }
    if (job.target.channels != job.source.channels) {
        refuse("dst has shape " + shape_text(dst) + " and src " + shape_text(src) +
               "; they must have the same number of planes");
    }
    job.scale = static_cast<int>(to_index(scale, "scale", 1, 8));
    check_size(job.target.height, job.source.height, job.scale, dst, src);
    check_size(job.target.width, job.source.width, job.scale, dst, src);
    const Phase phases = to_phase(phase);
    job.phase_y = phases.y;
    job.phase_x = phases.x;
    job.peak = to_peak(peak, job.source.sample, shift);
    refuse_shared_memory(dst, "dst", src, "src");
    return job;
}

ColourJob to_colour_job(const py::array& out, const py::array& frame, int scale) {
    const FrameView target = to_rgb(out, "out");
    const FrameView source = to_rgb(frame, "frame");
    if (source.height > kMaxSide || source.width > kMaxSide) {
        refuse("frame has shape " + shape_text(frame) + "; a side may be up to " +
               std::to_string(kMaxSide));
    }
    if (target.height != source.height * scale || target.width != source.width * scale) {
        refuse("out has shape " + shape_text(out) + "; for frame " + shape_text(frame) +
               " it must be " + std::to_string(scale) + " times as large");
    }
    if (target.sample != source.sample) {
        refuse("out and frame have different types; they must be the same");
    }
    refuse_shared_memory(out, "out", frame, "frame");
    return make_colour_job(target, source, scale, to_peak(py::none(), source.sample));
}

}  // namespace rrt::python
