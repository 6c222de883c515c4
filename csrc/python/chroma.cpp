#include "cpu/run.h"
#include "python/arrays.h"
#include "python/bindings.h"
#include "python/gil.h"

namespace rrt::python {
namespace {

/// Whether planes are those of a 4:2:0 frame.
bool is_420(const FrameView& luma, const FrameView& cb, const FrameView& cr) {
    const auto is_half = [&](const FrameView& plane) {
        return plane.height == (luma.height + 1) / 2 && plane.width == (luma.width + 1) / 2 &&
               plane.sample == luma.sample;
    };
    return is_half(cb) && is_half(cr);
}

void chroma_inputs_into(const py::object& inputs_object, const py::sequence& planes,
                        const py::object& bit_depth, const py::object& threads) {
    const py::array inputs = to_array(inputs_object, "inputs", Access::write);
    if (py::len(planes) != 3) {
        refuse("there are " + std::to_string(py::len(planes)) +
               " planes; it must be three: luma, Cb and Cr");
    }
    FrameView views[3];
    for (std::size_t i = 0; i < 3; ++i) {
        const std::string name = "planes[" + std::to_string(i) + "]";
        const py::array plane = to_array(planes[i], name, Access::read);
        views[i] = to_frame(plane, name, kPlaneChannels);
        refuse_shared_memory(inputs, "inputs", plane, name);
    }
    const int depth = to_bit_depth(bit_depth, views[0]);
    const FrameView target = to_chroma_inputs(inputs);
    if (!is_420(views[0], views[1], views[2])) {
        refuse(
            "the planes are no 4:2:0 frame: Cb and Cr must have half of luma's sides, rounded "
            "up, and its dtype");
    }
    if (target.height != views[1].height || target.width != views[1].width) {
        refuse("inputs has shape " + shape_text(inputs) + "; its sides must be those of Cb and Cr");
    }
    const ChromaJob job{static_cast<float*>(target.data),     views[0],      views[1], views[2],
                        static_cast<float>((1 << depth) - 1), grey_of(depth)};
    const int wanted = to_threads(threads);
    without_gil([&] { cpu::chroma_inputs(job, wanted); });
}

}  // namespace

void bind_chroma(py::module_& module) {
    module.def("chroma_inputs_into", &chroma_inputs_into, py::arg("inputs"), py::arg("planes"),
               py::kw_only(), py::arg("bit_depth") = 8, py::arg("threads") = 1,
               "Make what a chroma network reads of 4:2:0 planes.");
}

}  // namespace rrt::python
