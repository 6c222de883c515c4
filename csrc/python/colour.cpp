#include "cpu/run.h"
#include "python/bindings.h"
#include "python/gil.h"
#include "python/jobs.h"

namespace rrt::python {
namespace {

void luma_into(const py::object& luma_object, const py::object& frame_object,
               const py::object& threads) {
    const py::array luma = to_array(luma_object, "luma", Access::write);
    const py::array frame = to_array(frame_object, "frame", Access::read);
    const FrameView view = to_rgb(frame, "frame");
    const LumaJob job{to_luma(luma, view.height, view.width), view,
                      to_peak(py::none(), view.sample)};
    refuse_shared_memory(luma, "luma", frame, "frame");
    const int wanted = to_threads(threads);
    without_gil([&] { cpu::luma(job, wanted); });
}

bool colour_into(const py::object& out_object, const py::object& frame_object,
                 const py::object& luma_object, const py::object& scale,
                 const py::object& threads) {
    const py::array out = to_array(out_object, "out", Access::write);
    const py::array frame = to_array(frame_object, "frame", Access::read);
    const py::array luma = to_array(luma_object, "luma", Access::read);
    const int times = static_cast<int>(to_index(scale, "scale", 1, kMaxScale));
    const ColourJob job = to_colour_job(out, frame, times);
    const float* const given = to_luma(luma, job.target.height, job.target.width);
    refuse_shared_memory(out, "out", luma, "luma");
    const int wanted = to_threads(threads);
    bool finite = true;
    without_gil([&] { finite = cpu::colour(job, given, wanted); });
    return finite;
}

}  // namespace

void bind_colour(py::module_& module) {
    module.def("luma_into", &luma_into, py::arg("luma"), py::arg("frame"), py::kw_only(),
               py::arg("threads") = 1, "The luma of an RGB frame, in limited range.");
    module.def("colour_into", &colour_into, py::arg("out"), py::arg("frame"), py::arg("luma"),
               py::kw_only(), py::arg("scale"), py::arg("threads") = 1,
               "Enlarge an RGB frame and replace its luma.");
}

}  // namespace rrt::python
