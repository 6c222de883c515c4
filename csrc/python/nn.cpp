#include <array>

#include "nn/kernels.h"
#include "nn/run.h"
#include "python/arrays.h"
#include "python/bindings.h"
#include "python/changes.h"
#include "python/gil.h"
#include "python/jobs.h"

namespace rrt::python {
namespace {

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

/// A float32 array, or one that NumPy makes of what was given.
Floats to_floats(py::handle value, const std::string& name) {
    Floats array = Floats::ensure(value);
    if (!array) {
        PyErr_Clear();
        throw py::type_error(name + " is " + py::str(py::type::of(value)).cast<std::string>() +
                             "; it must be an array of numbers");
    }
    return array;
}

std::vector<float> to_vector(const Floats& array) {
    return {array.data(), array.data() + array.size()};
}

float to_float(py::handle value, const std::string& name) {
    const double number = PyFloat_AsDouble(value.ptr());
    if (PyErr_Occurred()) {
        PyErr_Clear();
        throw py::type_error(name + " must be a number");
    }
    return static_cast<float>(number);
}

py::object part(const py::dict& given, const char* key, const std::string& name) {
    if (!given.contains(key)) refuse(name + " has no '" + key + "'");
    return given[key];
}

template <class Value>
Value to_choice(py::handle value, const std::string& name,
                std::initializer_list<std::pair<const char*, Value>> choices) {
    const std::string given = py::str(value).cast<std::string>();
    std::string allowed;
    for (const auto& [text, choice] : choices) {
        if (given == text) return choice;
        allowed += (allowed.empty() ? "" : ", ") + std::string(text);
    }
    refuse(name + " is '" + given + "'; allowed are " + allowed);
}

/// (scale, zero point), or none.
nn::Quantisation to_quantisation(const py::dict& given, const std::string& name) {
    if (!given.contains("result") || given["result"].is_none()) return {};
    const py::object result = given["result"];
    if (!py::isinstance<py::sequence>(result) || py::len(result) != 2) {
        throw py::type_error(name + "'s result must be a scale and a zero point");
    }
    const auto pair = py::reinterpret_borrow<py::sequence>(result);
    const float scale = to_float(pair[0], name + "'s scale");
    if (scale == 0.0f) refuse(name + "'s result has a scale of 0");
    return {scale, static_cast<int>(to_index(pair[1], name + "'s zero point", 0, 255))};
}

nn::Layer to_convolution(nn::Layer layer, const py::dict& given, const std::string& name) {
    const Floats weights = to_floats(part(given, "weights", name), name + "'s weights");
    if (weights.ndim() != 4 || weights.shape(2) != weights.shape(3)) {
        refuse(name + "'s weights have shape " + shape_text(weights) +
               "; they must be (outputs, inputs, side, side)");
    }
    layer.outputs = static_cast<int>(std::min<py::ssize_t>(weights.shape(0), 1 << 20));
    layer.taps = static_cast<int>(std::min<py::ssize_t>(weights.shape(2), 1 << 20));
    layer.weights = to_vector(weights);
    layer.bias = to_vector(to_floats(part(given, "bias", name), name + "'s bias"));
    if (given.contains("scales")) {
        layer.scales = to_vector(to_floats(given["scales"], name + "'s scales"));
        if (layer.scales.empty()) refuse(name + " has no scales");
    }
    layer.bytes = given.contains("bytes") && given["bytes"].cast<bool>();
    if (given.contains("residual") && !given["residual"].is_none()) {
        layer.residual =
            static_cast<int>(to_index(given["residual"], name + "'s residual", 0, nn::kMaxLayers));
    }
    if (!given.contains("activation")) return layer;
    layer.activation = to_choice<nn::Activation>(given["activation"], name + "'s activation",
                                                 {{"none", nn::Activation::none},
                                                  {"relu", nn::Activation::relu},
                                                  {"leaky", nn::Activation::leaky},
                                                  {"clip", nn::Activation::clip}});
    if (layer.activation == nn::Activation::leaky) {
        layer.slopes = to_vector(to_floats(part(given, "slopes", name), name + "'s slopes"));
    } else if (layer.activation == nn::Activation::clip) {
        layer.low = to_float(part(given, "low", name), name + "'s low");
        layer.high = to_float(part(given, "high", name), name + "'s high");
    }
    return layer;
}

nn::Layer to_layer(py::handle value, std::size_t index) {
    const std::string name = "layer " + std::to_string(index);
    if (!py::isinstance<py::dict>(value)) throw py::type_error(name + " must be a dict");
    const auto given = py::reinterpret_borrow<py::dict>(value);
    nn::Layer layer;
    layer.source = static_cast<int>(
        to_index(part(given, "source", name), name + "'s source", 0, nn::kMaxLayers));
    layer.step = to_choice<nn::Step>(part(given, "step", name), name + "'s step",
                                     {{"convolution", nn::Step::convolution},
                                      {"nearest", nn::Step::nearest},
                                      {"bilinear", nn::Step::bilinear},
                                      {"shuffle", nn::Step::shuffle},
                                      {"frame", nn::Step::frame},
                                      {"quantise", nn::Step::quantise},
                                      {"dequantise", nn::Step::dequantise}});
    layer.result = to_quantisation(given, name);
    if (layer.step == nn::Step::convolution) return to_convolution(layer, given, name);
    if (nn::keeps_size(layer)) return layer;
    layer.factor = static_cast<int>(
        to_index(part(given, "factor", name), name + "'s factor", 2, nn::kMaxFactor));
    return layer;
}

bool to_bf16(const std::string& precision) {
    return to_choice<bool>(py::str(precision), "precision", {{"fp32", false}, {"bf16", true}});
}

/// What may be chosen from: all that a precision allows, or those of them that are named.
nn::Algorithms to_algorithms(const py::object& named, bool bf16) {
    const nn::Algorithms available = nn::available_algorithms(nn::kernels(), bf16);
    if (named.is_none()) return available;
    nn::Algorithms allowed;
    for (py::handle item : py::reinterpret_borrow<py::sequence>(named)) {
        const std::string name = py::str(item).cast<std::string>();
        nn::Algorithm algorithm{};
        if (!nn::find_algorithm(name, algorithm)) refuse("there is no algorithm '" + name + "'");
        if (!available.has(algorithm)) {
            refuse("algorithm '" + name + "' cannot run on this CPU, or in this precision");
        }
        allowed.add(algorithm);
    }
    return allowed;
}

std::unique_ptr<nn::Model> make_network(const py::sequence& layers, const py::object& channels,
                                        const py::object& shuffle, const py::object& unshuffle,
                                        const std::string& precision, const py::object& algorithms,
                                        const py::object& ring_bytes) {
    nn::Description description;
    description.channels = static_cast<int>(to_index(channels, "channels", 1, kChromaInputs));
    description.shuffle = static_cast<int>(to_index(shuffle, "shuffle", 1, nn::kMaxShuffle));
    description.unshuffle =
        static_cast<int>(to_index(unshuffle, "unshuffle", 1, nn::kMaxUnshuffle));
    for (py::handle layer : layers) {
        description.layers.push_back(to_layer(layer, description.layers.size()));
    }
    std::vector<nn::Shape> shapes;
    const std::string fault = nn::find_fault(description, shapes);
    if (!fault.empty()) refuse("the network cannot be: " + fault);
    const bool bf16 = to_bf16(precision);
    if (bf16 && !nn::has_bf16()) {
        refuse("precision is 'bf16', which needs a CPU with AVX512_BF16; use 'fp32'");
    }
    const Index bytes = ring_bytes.is_none()
                            ? nn::ring_bytes()
                            : to_index(ring_bytes, "ring_bytes", 1, Index{1} << 30);
    return std::make_unique<nn::Model>(std::move(description), shapes,
                                       to_algorithms(algorithms, bf16), bytes);
}

py::list list_algorithms(const std::string& precision) {
    py::list names;
    const bool int8 = precision == "int8";
    const nn::Algorithms available =
        nn::available_algorithms(nn::kernels(), !int8 && to_bf16(precision));
    for (const nn::Algorithm algorithm : nn::kAlgorithms) {
        if (available.has(algorithm) && nn::is_int8(algorithm) == int8)
            names.append(nn::name_of(algorithm));
    }
    return names;
}

/// For each layer its algorithm, and an empty text where there is none to choose.
py::list plan_of(const nn::Model& model) {
    py::list plan;
    for (std::size_t i = 0; i < model.layers().size(); ++i) {
        const bool convolves = model.layers()[i].step == nn::Step::convolution;
        plan.append(convolves ? nn::name_of(model.filter(i).algorithm) : "");
    }
    return plan;
}

nn::Job to_job(const nn::Model& model, const py::array& out, const py::array& frame,
               const py::object& peak) {
    nn::Job job{to_frame(out, "out", kFrameChannels), to_frame(frame, "frame", kFrameChannels), 0};
    if (job.frame.channels != model.channels()) {
        refuse("frame has shape " + shape_text(frame) + "; the network takes " +
               std::to_string(model.channels()) + " channels");
    }
    if (job.frame.height > kMaxSide || job.frame.width > kMaxSide) {
        refuse("frame has shape " + shape_text(frame) + "; a side may be up to " +
               std::to_string(kMaxSide));
    }
    const int scale = model.scale();
    if (job.out.height != job.frame.height * scale || job.out.width != job.frame.width * scale ||
        job.out.channels != model.colours()) {
        refuse("out has shape " + shape_text(out) + "; for frame " + shape_text(frame) +
               " and this network it must be " + std::to_string(scale) + " times as large, with " +
               std::to_string(model.colours()) + " channels");
    }
    if (job.out.sample != job.frame.sample) {
        refuse("out and frame have different types; they must be the same");
    }
    refuse_shared_memory(out, "out", frame, "frame");
    job.peak = to_peak(peak, job.frame.sample);
    return job;
}

/// Once all has been checked.
bool run_job(const nn::Model& model, const nn::Job& job, const py::object& threads,
             const py::object& band_rows, const std::vector<UpsampleJob>& chroma,
             const nn::Parts& parts) {
    const int wanted = to_threads(threads);
    const Index band = band_rows.is_none() ? 0 : to_index(band_rows, "band_rows", 1, kMaxSide);
    bool finite = true;
    without_gil([&] { finite = nn::run(model, job, wanted, band, chroma, parts); });
    return finite;
}

bool run_into(const nn::Model& model, const py::object& out_object, const py::object& frame_object,
              const py::object& threads, const py::object& peak, const py::object& band_rows,
              const py::object& boxes) {
    const py::array out = to_array(out_object, "out", Access::write);
    const py::array frame = to_array(frame_object, "frame", Access::read);
    const nn::Job job = to_job(model, out, frame, peak);
    return run_job(model, job, threads, band_rows, {}, {to_boxes(boxes, model, job), {}});
}

bool run_colour_into(const nn::Model& model, const py::object& out_object,
                     const py::object& frame_object, const py::object& threads,
                     const py::object& band_rows, const py::object& boxes) {
    if (model.channels() != 1 || model.colours() != 1) {
        refuse("the network takes " + std::to_string(model.channels()) + " channels and makes " +
               std::to_string(model.colours()) + "; this needs one that restores luma");
    }
    const py::array out = to_array(out_object, "out", Access::write);
    const py::array frame = to_array(frame_object, "frame", Access::read);
    const ColourJob colour = to_colour_job(out, frame, model.scale());
    nn::Job job{colour.target, colour.source, colour.peak};
    job.colour = &colour;
    return run_job(model, job, threads, band_rows, {}, {to_boxes(boxes, model, job), {}});
}

using Planes = std::array<py::array, 3>;

Planes to_planes(const py::sequence& given, const std::string& name, Access access) {
    if (py::len(given) != 3) {
        refuse(name + " has " + std::to_string(py::len(given)) +
               " planes; it must be three: luma and both of chroma");
    }
    Planes planes;
    for (std::size_t i = 0; i < planes.size(); ++i) {
        planes[i] = to_array(given[i], name + "[" + std::to_string(i) + "]", access);
    }
    return planes;
}

bool run_planes_into(const nn::Model& model, const py::sequence& out_planes,
                     const py::sequence& frame_planes, const py::object& phase,
                     const py::object& threads, const py::object& peak, const py::object& band_rows,
                     const py::object& boxes, const py::sequence& chroma_rows) {
    if (model.channels() != 1 || model.colours() != 1) {
        refuse("the network takes " + std::to_string(model.channels()) + " channels and makes " +
               std::to_string(model.colours()) + "; planes need one that restores luma");
    }
    const Planes out = to_planes(out_planes, "out", Access::write);
    const Planes frame = to_planes(frame_planes, "planes", Access::read);
    const nn::Job job = to_job(model, out[0], frame[0], peak);
    std::vector<UpsampleJob> chroma;
    nn::Parts parts{to_boxes(boxes, model, job), {}};
    if (py::len(chroma_rows) != 2) refuse("chroma_rows must be those of Cb and of Cr");
    for (std::size_t i = 1; i < out.size(); ++i) {
        chroma.push_back(to_upsample_job(out[i], frame[i], py::int_(model.scale()), phase, peak));
        parts.chroma.push_back(
            to_row_spans(chroma_rows[i - 1], "chroma_rows", chroma.back().target.height));
    }
    return run_job(model, job, threads, band_rows, chroma, parts);
}

bool run_chroma_into(const nn::Model& model, const py::sequence& out_planes,
                     const py::object& inputs_object, const py::object& bit_depth,
                     const py::object& threads, const py::object& band_rows,
                     const py::object& boxes) {
    if (model.channels() != kChromaInputs) {
        refuse("the network takes " + std::to_string(model.channels()) +
               " channels; a chroma network takes " + std::to_string(kChromaInputs));
    }
    if (py::len(out_planes) != 2) {
        refuse("out has " + std::to_string(py::len(out_planes)) + " planes; it must be Cb and Cr");
    }
    const py::array cb = to_array(out_planes[0], "out[0]", Access::write);
    const py::array cr = to_array(out_planes[1], "out[1]", Access::write);
    const py::array inputs = to_array(inputs_object, "inputs", Access::read);
    const FrameView second = to_frame(cr, "out[1]", kPlaneChannels);
    nn::Job job{to_frame(cb, "out[0]", kPlaneChannels), to_chroma_inputs(inputs), 1.0f};
    const int depth = to_bit_depth(bit_depth, job.out);
    if (second.height != job.out.height || second.width != job.out.width ||
        second.sample != job.out.sample) {
        refuse("out has planes of " + shape_text(cb) + " and " + shape_text(cr) +
               "; both must have one shape and dtype");
    }
    const Index scale = model.scale();
    const auto fits = [scale](Index made, Index given) {
        return made > scale * (given - 1) && made <= scale * given;
    };
    if (!fits(job.out.height, job.frame.height) || !fits(job.out.width, job.frame.width)) {
        refuse("out has planes of " + shape_text(cb) + "; for inputs " + shape_text(inputs) +
               " a side must be " + std::to_string(scale) + " times as large, or less by less " +
               "than that");
    }
    refuse_shared_memory(cb, "out[0]", inputs, "inputs");
    refuse_shared_memory(cr, "out[1]", inputs, "inputs");
    refuse_shared_memory(cb, "out[0]", cr, "out[1]");
    job.second = &second;
    job.out_peak = static_cast<float>((1 << depth) - 1);
    job.grey = grey_of(depth);
    return run_job(model, job, threads, band_rows, {}, {to_boxes(boxes, model, job), {}});
}

}  // namespace

void bind_nn(py::module_& module) {
    module.def("has_bf16", &nn::has_bf16, "Whether networks can run in bf16.");
    module.def(
        "has_vnni", [] { return nn::vnni() != nullptr; },
        "Whether int8 networks multiply bytes in fours.");
    module.def("cpu_adds_bytes_in_16_bits", &nn::cpu_adds_bytes_in_16_bits,
               "Whether ONNX Runtime's int8 sums can saturate on this CPU.");
    module.def("algorithms", &list_algorithms, py::arg("precision") = "fp32",
               "What can make convolutions here.");
    py::class_<nn::Model>(module, "Network", "A network that runs on the CPU.")
        .def(py::init(&make_network), py::arg("layers"), py::kw_only(), py::arg("channels"),
             py::arg("shuffle") = 1, py::arg("unshuffle") = 1, py::arg("precision") = "fp32",
             py::arg("algorithms") = py::none(), py::arg("ring_bytes") = py::none())
        .def_property_readonly("channels", &nn::Model::channels)
        .def_property_readonly("colours", &nn::Model::colours)
        .def_property_readonly("scale", &nn::Model::scale)
        .def_property_readonly("plan", &plan_of)
        .def_property_readonly("ring_bytes", &nn::Model::ring_bytes)
        .def("run_into", &run_into, py::arg("out"), py::arg("frame"), py::kw_only(),
             py::arg("threads") = 1, py::arg("peak") = py::none(),
             py::arg("band_rows") = py::none(), py::arg("boxes") = py::none(), "Restore a frame.")
        .def("run_colour_into", &run_colour_into, py::arg("out"), py::arg("frame"), py::kw_only(),
             py::arg("threads") = 1, py::arg("band_rows") = py::none(),
             py::arg("boxes") = py::none(),
             "Restore the luma of an RGB frame and enlarge its chroma.")
        .def("run_planes_into", &run_planes_into, py::arg("out"), py::arg("planes"), py::kw_only(),
             py::arg("phase") = py::make_tuple(0.5, 0.5), py::arg("threads") = 1,
             py::arg("peak") = py::none(), py::arg("band_rows") = py::none(),
             py::arg("boxes") = py::none(),
             py::arg("chroma_rows") = py::make_tuple(py::none(), py::none()),
             "Restore luma and enlarge chroma.")
        .def("run_chroma_into", &run_chroma_into, py::arg("out"), py::arg("inputs"), py::kw_only(),
             py::arg("bit_depth") = 8, py::arg("threads") = 1, py::arg("band_rows") = py::none(),
             py::arg("boxes") = py::none(), "Enlarge chroma by what chroma_inputs_into made.");
}

}  // namespace rrt::python
