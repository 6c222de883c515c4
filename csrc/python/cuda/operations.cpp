#include <cmath>

#include "cuda/run.h"
#include "python/cuda/bindings.h"
#include "python/gil.h"
#include "python/jobs.h"

namespace rrt::python {
namespace {

constexpr Index kMostShift = 8;

int to_shift(const py::object& shift) {
    return static_cast<int>(to_index(shift, "shift", 0, kMostShift));
}

/// Integers alone have low bits to leave out; bytes need all of theirs.
void check_shift(int shift, Sample sample) {
    if (shift != 0 && sample != Sample::u16) {
        refuse("shift is " + std::to_string(shift) + "; it must be 0 for all but uint16");
    }
}

cuda::Levels to_levels(float black, float white) {
    if (!(std::isfinite(black) && std::isfinite(white) && black < white)) {
        refuse("black is " + std::to_string(black) + " and white " + std::to_string(white) +
               "; they must be finite, black below white");
    }
    return {black, white};
}

void check_tiles(const Grid& grid) {
    if (grid.count() > cuda::kMostTiles) {
        refuse("the grid has " + std::to_string(grid.count()) + " tiles; a GPU takes up to " +
               std::to_string(cuda::kMostTiles) + ": enlarge the tile");
    }
}

/// One uint32, aligned, in memory of the GPU.
std::uint32_t* to_flag(const py::object& flag_object) {
    const py::array flag = to_device_array(flag_object, "flag", Access::write);
    if (flag.size() != 1 || !flag.dtype().is(py::dtype::of<std::uint32_t>())) {
        refuse("flag is " + py::str(flag.dtype()).cast<std::string>() + " of shape " +
               shape_text(flag) + "; it must be one uint32");
    }
    return static_cast<std::uint32_t*>(const_cast<void*>(flag.data()));
}

void split_into(const py::object& tiles_object, const py::object& frame_object, const Grid& grid,
                const py::object& first, const py::object& peak, const py::object& shift,
                float black, float white, const py::object& stream) {
    const py::array tiles = to_device_array(tiles_object, "tiles", Access::write);
    const py::array frame = to_device_array(frame_object, "frame", Access::read);
    const SplitJob job = to_split_job(tiles, frame, grid, first, peak, to_shift(shift));
    check_shift(job.frame.shift, job.frame.sample);
    check_tiles(grid);
    const cuda::Levels levels = to_levels(black, white);
    const cuda::Stream queue = to_stream(stream);
    without_gil([&] { cuda::split(job, levels, queue); });
}

void merge_into(const py::object& frame_object, const py::object& tiles_object, const Grid& grid,
                const py::object& flag, const py::object& rows, const py::object& peak,
                const py::object& shift, float black, float white, const py::object& stream) {
    const py::array frame = to_device_array(frame_object, "frame", Access::write);
    const py::array tiles = to_device_array(tiles_object, "tiles", Access::read);
    const Span tile_rows = to_tile_rows(rows, grid);
    const MergeJob job = to_merge_job(frame, tiles, grid, tile_rows, peak, to_shift(shift));
    check_shift(job.frame.shift, job.frame.sample);
    check_tiles(grid);
    const cuda::Levels levels = to_levels(black, white);
    std::uint32_t* const raised = to_flag(flag);
    const cuda::Stream queue = to_stream(stream);
    without_gil([&] { cuda::merge(job, tile_rows, levels, raised, queue); });
}

void upsample_into(const py::object& dst_object, const py::object& src_object,
                   const py::object& scale, const py::object& phase, const py::object& peak,
                   const py::object& shift, const py::object& stream) {
    const py::array dst = to_device_array(dst_object, "dst", Access::write);
    const py::array src = to_device_array(src_object, "src", Access::read);
    const UpsampleJob job =
        to_upsample_job(dst, src, scale, phase, peak, kPairChannels, to_shift(shift));
    check_shift(job.source.shift, job.source.sample);
    const cuda::Stream queue = to_stream(stream);
    without_gil([&] { cuda::upsample(job, queue); });
}

}  // namespace

void bind_operations(py::module_& module) {
    module.def("split_into", &split_into, py::arg("tiles"), py::arg("frame"), py::arg("grid"),
               py::kw_only(), py::arg("first") = 0, py::arg("peak") = py::none(),
               py::arg("shift") = 0, py::arg("black") = 0.0f, py::arg("white") = 1.0f,
               py::arg("stream"), "Queue the filling of tiles[k] from tile first + k of a frame.");
    module.def("merge_into", &merge_into, py::arg("frame"), py::arg("tiles"), py::arg("grid"),
               py::kw_only(), py::arg("flag"), py::arg("rows") = py::none(),
               py::arg("peak") = py::none(), py::arg("shift") = 0, py::arg("black") = 0.0f,
               py::arg("white") = 1.0f, py::arg("stream"),
               "Queue the writing of the frame rows that rows of tiles complete.");
    module.def("upsample_into", &upsample_into, py::arg("dst"), py::arg("src"), py::kw_only(),
               py::arg("scale"), py::arg("phase") = py::make_tuple(0.5, 0.5),
               py::arg("peak") = py::none(), py::arg("shift") = 0, py::arg("stream"),
               "Queue the bicubic enlargement of a plane, or of two that are interleaved.");
}

}  // namespace rrt::python
