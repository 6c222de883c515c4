#include "nn/changes.h"

#include "core/taps.h"
#include "python/bindings.h"
#include "python/changes.h"
#include "python/gil.h"

namespace rrt::python {
namespace {

/// Rows or columns of a part, which begin and end on a multiple of `unit`, or at the edge.
Span to_part(py::handle begin, py::handle end, const std::string& name, Index unit, Index length) {
    const Span part{to_index(begin, name + "'s begin", 0, length - 1),
                    to_index(end, name + "'s end", 1, length)};
    if (part.size() <= 0 || part.begin % unit != 0 ||
        (part.end % unit != 0 && part.end != length)) {
        refuse(name + " is " + std::to_string(part.begin) + " to " + std::to_string(part.end) +
               "; it must begin before it ends, both at multiples of " + std::to_string(unit) +
               " or at the edge, " + std::to_string(length));
    }
    return part;
}

py::sequence to_numbers(py::handle value, const std::string& name, std::size_t count) {
    if (!py::isinstance<py::sequence>(value) || py::len(value) != count) {
        refuse(name + " is " + py::repr(value).cast<std::string>() + "; it must be " +
               std::to_string(count) + " whole numbers");
    }
    return py::reinterpret_borrow<py::sequence>(value);
}

/// Pixels of the result for one of value 0.
Index unit_of(const nn::Model& model) { return Index{model.scale()} * model.unshuffle(); }

py::list from_boxes(const std::vector<nn::Box>& boxes, Index unit, Index height, Index width) {
    py::list found;
    for (const nn::Box& box : boxes) {
        found.append(py::make_tuple(box.rows.begin * unit, box.columns.begin * unit,
                                    std::min(box.rows.end * unit, height),
                                    std::min(box.columns.end * unit, width)));
    }
    return found;
}

nn::Pair to_pair(const py::array& now, const py::array& before, Channels channels, Index ratio) {
    const nn::Pair pair{to_frame(now, "frame", channels), to_frame(before, "before", channels),
                        ratio};
    if (pair.now.height != pair.before.height || pair.now.width != pair.before.width ||
        pair.now.channels != pair.before.channels || pair.now.sample != pair.before.sample) {
        refuse("frame has shape " + shape_text(now) + " and before " + shape_text(before) +
               "; they must have one shape and dtype");
    }
    return pair;
}

py::list find_changes(const nn::Model& model, const py::object& frame_object,
                      const py::object& before_object) {
    const py::array frame = to_array(frame_object, "frame", Access::read);
    const py::array before = to_array(before_object, "before", Access::read);
    const std::vector<nn::Pair> pairs{to_pair(frame, before, kFrameChannels, model.unshuffle())};
    const Index height = pairs[0].now.height;
    const Index width = pairs[0].now.width;
    std::vector<nn::Box> boxes;
    without_gil([&] {
        // The last block of a frame that ends within it reads the one before by reflection.
        Index reach = model.unshuffle() > 1 ? 1 : 0;
        // The colour of an RGB frame is enlarged beside its luma.
        if (model.channels() == 1 && pairs[0].now.channels == 3) {
            reach = (kTapsReach + model.unshuffle() - 1) / model.unshuffle();
        }
        boxes =
            nn::find_changes(model, model.blocks_of(height), model.blocks_of(width), pairs, reach);
    });
    return from_boxes(boxes, unit_of(model), height * model.scale(), width * model.scale());
}

py::list find_chroma_changes(const nn::Model& model, const py::sequence& planes,
                             const py::sequence& before_planes, const py::object& height_object,
                             const py::object& width_object) {
    if (py::len(planes) != 3 || py::len(before_planes) != 3) {
        refuse("planes and before must be luma, Cb and Cr each");
    }
    std::vector<nn::Pair> pairs;
    for (std::size_t i = 0; i < 3; ++i) {
        const py::array plane = to_array(planes[i], "planes", Access::read);
        const py::array before = to_array(before_planes[i], "before", Access::read);
        pairs.push_back(to_pair(plane, before, kPlaneChannels, i == 0 ? 2 : 1));
    }
    const Index height = pairs[1].now.height;
    const Index width = pairs[1].now.width;
    const Index unit = unit_of(model);
    const Index made_height = to_index(height_object, "height", 1, unit * height);
    const Index made_width = to_index(width_object, "width", 1, unit * width);
    std::vector<nn::Box> boxes;
    without_gil([&] { boxes = nn::find_changes(model, height, width, pairs, kChromaReach); });
    return from_boxes(boxes, unit, made_height, made_width);
}

py::list find_row_changes(const py::object& plane_object, const py::object& before_object,
                          const py::object& scale_object, const py::object& height_object) {
    const py::array plane = to_array(plane_object, "plane", Access::read);
    const py::array before = to_array(before_object, "before", Access::read);
    const nn::Pair pair = to_pair(plane, before, kPlaneChannels, 1);
    const Index scale = to_index(scale_object, "scale", 1, 8);
    const Index height = to_index(height_object, "height", 1, scale * pair.now.height);
    std::vector<Span> spans;
    without_gil([&] { spans = nn::find_row_changes(pair.now, pair.before, scale, height); });
    py::list found;
    for (const Span& rows : spans) found.append(py::make_tuple(rows.begin, rows.end));
    return found;
}

}  // namespace

std::vector<nn::Box> to_boxes(py::handle value, const nn::Model& model, const nn::Job& job) {
    if (value.is_none()) return nn::whole_of(model, job, {}).boxes;
    const Index unit = unit_of(model);
    std::vector<nn::Box> boxes;
    for (py::handle item : py::reinterpret_borrow<py::sequence>(value)) {
        const py::sequence sides = to_numbers(item, "a box", 4);
        const auto part = [&](std::size_t first, const std::string& name, Index length) {
            const Span made = to_part(sides[first], sides[first + 2], name, unit, length);
            return Span{made.begin / unit, (made.end + unit - 1) / unit};
        };
        boxes.push_back(
            {part(0, "a box's height", job.out.height), part(1, "a box's width", job.out.width)});
    }
    return boxes;
}

std::vector<Span> to_row_spans(py::handle value, const std::string& name, Index height) {
    if (value.is_none()) return {{0, height}};
    std::vector<Span> spans;
    for (py::handle item : py::reinterpret_borrow<py::sequence>(value)) {
        const py::sequence ends = to_numbers(item, name, 2);
        spans.push_back(to_part(ends[0], ends[1], name, 1, height));
    }
    return spans;
}

void bind_changes(py::module_& module) {
    module.def("find_changes", &find_changes, py::arg("network"), py::arg("frame"),
               py::arg("before"), "Boxes of a result that differ from the one before.");
    module.def("find_chroma_changes", &find_chroma_changes, py::arg("network"), py::arg("planes"),
               py::arg("before"), py::kw_only(), py::arg("height"), py::arg("width"),
               "The same of what a chroma network makes.");
    module.def("find_row_changes", &find_row_changes, py::arg("plane"), py::arg("before"),
               py::kw_only(), py::arg("scale"), py::arg("height"),
               "Rows of a plane's bicubic enlargement that differ from those before.");
}

}  // namespace rrt::python
