#include "cpu/fill.h"

#include "python/arrays.h"
#include "python/bindings.h"
#include "python/gil.h"

namespace rrt::python {
namespace {

constexpr int kMostSweeps = 1000;
constexpr int kMostDepth = 254;

FrameView to_bytes(const py::array& array, const std::string& name) {
    const FrameView view = to_frame(array, name, kPlaneChannels);
    if (view.sample != Sample::u8) {
        refuse(name + " is " + py::str(array.dtype()).cast<std::string>() + "; it must be uint8");
    }
    return view;
}

bool is_all_hole(const FrameView& mask) {
    const auto* const origin = static_cast<const std::uint8_t*>(mask.data);
    for (Index y = 0; y < mask.height; ++y) {
        for (Index x = 0; x < mask.width; ++x) {
            if (origin[y * mask.row + x * mask.column] == 0) return false;
        }
    }
    return true;
}

/// The frame and a plane of bytes that belongs to it.
FillJob to_fill_job(const py::array& frame, const py::array& plane, const std::string& name) {
    const FillJob job{to_frame(frame, "frame", kFrameChannels), to_bytes(plane, name), 0};
    if (job.frame.height != job.mask.height || job.frame.width != job.mask.width) {
        refuse(name + " has shape " + shape_text(plane) + " and frame " + shape_text(frame) +
               "; they must have the same height and width");
    }
    if (job.frame.height > kMaxSide || job.frame.width > kMaxSide) {
        refuse("frame has shape " + shape_text(frame) + "; a side may be up to " +
               std::to_string(kMaxSide));
    }
    refuse_shared_memory(frame, "frame", plane, name);
    return job;
}

/// Refuses anything but half of a frame, its sides rounded up.
void check_half(const py::array& half, const FrameView& view, const std::string& name,
                const py::array& frame, const FrameView& whole) {
    if (view.height != (whole.height + 1) / 2 || view.width != (whole.width + 1) / 2) {
        refuse(name + " has shape " + shape_text(half) + " and frame " + shape_text(frame) +
               "; its sides must be half of the frame's, rounded up");
    }
}

/// Half of a frame, with its channels and type.
FrameView to_half(const py::array& half, const std::string& name, const py::array& frame,
                  const FrameView& whole) {
    const FrameView view = to_frame(half, name, kFrameChannels);
    check_half(half, view, name, frame, whole);
    if (view.channels != whole.channels || view.sample != whole.sample) {
        refuse(name + " is " + py::str(half.dtype()).cast<std::string>() + " of " +
               shape_text(half) + "; it must have the frame's channels and dtype, " +
               py::str(frame.dtype()).cast<std::string>());
    }
    refuse_shared_memory(half, name, frame, "frame");
    return view;
}

void fill_holes(const py::object& frame_object, const py::object& mask_object,
                const py::object& sweeps, const py::object& threads) {
    const py::array frame = to_array(frame_object, "frame", Access::write);
    const py::array mask = to_array(mask_object, "mask", Access::read);
    FillJob job = to_fill_job(frame, mask, "mask");
    job.sweeps = static_cast<int>(to_index(sweeps, "sweeps", 0, kMostSweeps));
    const int wanted = to_threads(threads);
    if (is_all_hole(job.mask)) {
        refuse("mask marks every pixel of the frame; leave some to fill the others from");
    }
    without_gil([&] { cpu::fill_holes(job, wanted); });
}

void hole_depth_into(const py::object& depth_object, const py::object& mask_object) {
    const py::array depth = to_array(depth_object, "depth", Access::write);
    const py::array mask = to_array(mask_object, "mask", Access::read);
    const FrameView view = to_bytes(mask, "mask");
    const FrameView target = to_bytes(depth, "depth");
    if (target.height != view.height || target.width != view.width ||
        !(depth.flags() & py::array::c_style)) {
        refuse("depth has shape " + shape_text(depth) + " and mask " + shape_text(mask) +
               "; depth must have the mask's shape and be C-contiguous");
    }
    refuse_shared_memory(depth, "depth", mask, "mask");
    without_gil([&] { cpu::hole_depth(static_cast<std::uint8_t*>(target.data), view); });
}

void halve_into(const py::object& half_object, const py::object& half_mask_object,
                const py::object& frame_object, const py::object& mask_object) {
    const py::array half = to_array(half_object, "half", Access::write);
    const py::array half_mask = to_array(half_mask_object, "half_mask", Access::write);
    const py::array frame = to_array(frame_object, "frame", Access::read);
    const py::array mask = to_array(mask_object, "mask", Access::read);
    const FillJob job = to_fill_job(frame, mask, "mask");
    const FrameView small = to_half(half, "half", frame, job.frame);
    const FrameView small_mask = to_bytes(half_mask, "half_mask");
    check_half(half_mask, small_mask, "half_mask", frame, job.frame);
    refuse_shared_memory(half, "half", half_mask, "half_mask");
    refuse_shared_memory(half, "half", mask, "mask");
    refuse_shared_memory(half_mask, "half_mask", mask, "mask");
    refuse_shared_memory(half_mask, "half_mask", frame, "frame");
    without_gil([&] { cpu::halve(small, small_mask, job); });
}

void blend_half(const py::object& frame_object, const py::object& half_object,
                const py::object& depth_object, const py::object& radius) {
    const py::array frame = to_array(frame_object, "frame", Access::write);
    const py::array half = to_array(half_object, "half", Access::read);
    const py::array depth = to_array(depth_object, "depth", Access::read);
    const FillJob job = to_fill_job(frame, depth, "depth");
    const FrameView small = to_half(half, "half", frame, job.frame);
    const int from = static_cast<int>(to_index(radius, "radius", 1, kMostDepth));
    without_gil([&] { cpu::blend_half(job.frame, small, job.mask, from); });
}

}  // namespace

void bind_fill(py::module_& module) {
    module.def("fill_holes", &fill_holes, py::arg("frame"), py::arg("mask"), py::kw_only(),
               py::arg("sweeps") = 4, py::arg("threads") = 1,
               "Replace a frame's pixels under a mask by push-pull, in place.");
    module.def("hole_depth_into", &hole_depth_into, py::arg("depth"), py::arg("mask"),
               "Tell how far each masked pixel is from the nearest that is not.");
    module.def("halve_into", &halve_into, py::arg("half"), py::arg("half_mask"), py::arg("frame"),
               py::arg("mask"), "Make half of a frame from the pixels that are known.");
    module.def("blend_half", &blend_half, py::arg("frame"), py::arg("half"), py::arg("depth"),
               py::kw_only(), py::arg("radius"),
               "Go over to a half of a frame, enlarged, deep in holes; in place.");
}

}  // namespace rrt::python
