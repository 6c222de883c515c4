#include "cpu/run.h"
#include "python/arrays.h"
#include "python/bindings.h"
#include "python/gil.h"

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

void upsample_plane_into(const py::object& dst_object, const py::object& src_object,
                         const py::object& scale, const py::object& phase, const py::object& peak,
                         const py::object& threads) {
    const py::array dst = to_array(dst_object, "dst", Access::write);
    const py::array src = to_array(src_object, "src", Access::read);
    UpsampleJob job{};
    job.target = to_frame(dst, "dst", false);
    job.source = to_frame(src, "src", false);
    if (job.target.sample != job.source.sample) {
        refuse("dst is " + py::str(dst.dtype()).cast<std::string>() + " and src " +
               py::str(src.dtype()).cast<std::string>() + "; they must have the same dtype");
    }
    job.scale = static_cast<int>(to_index(scale, "scale", 1, 8));
    check_size(job.target.height, job.source.height, job.scale, dst, src);
    check_size(job.target.width, job.source.width, job.scale, dst, src);
    const Phase phases = to_phase(phase);
    job.phase_y = phases.y;
    job.phase_x = phases.x;
    job.peak = to_peak(peak, job.source.sample);
    const int wanted = to_threads(threads);
    refuse_shared_memory(dst, "dst", src, "src");
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
