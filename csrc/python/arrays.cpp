#include "python/arrays.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "cpu/run.h"

namespace rrt::python {
namespace {

// NumPy's type numbers; pybind11 names only those that have a C++ type.
constexpr int kUint8 = 2;
constexpr int kUint16 = 4;
constexpr int kFloat32 = 11;
constexpr int kFloat16 = 23;

std::string text(py::handle value) { return py::str(value).cast<std::string>(); }

std::string repr_text(py::handle value) { return py::repr(value).cast<std::string>(); }

std::string dtype_text(const py::array& array) { return text(array.dtype()); }

struct Extent {
    std::uintptr_t begin;
    std::uintptr_t end;
};

Extent extent(const py::array& array) {
    const auto origin = reinterpret_cast<std::uintptr_t>(array.data());
    Extent result{origin, origin};
    if (array.size() == 0) return result;
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
        const py::ssize_t reach = array.strides(axis) * (array.shape(axis) - 1);
        (reach < 0 ? result.begin : result.end) += static_cast<std::uintptr_t>(reach);
    }
    result.end += static_cast<std::uintptr_t>(array.itemsize());
    return result;
}

/// Whether two indices may name one element: no if each axis steps over all the finer ones.
bool overlaps_itself(const py::array& array) {
    if (array.size() == 0) return false;
    std::vector<std::pair<py::ssize_t, py::ssize_t>> axes;
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
        if (array.shape(axis) > 1) {
            axes.emplace_back(std::abs(array.strides(axis)), array.shape(axis));
        }
    }
    std::sort(axes.begin(), axes.end());
    py::ssize_t reach = array.itemsize();
    for (const auto& [stride, size] : axes) {
        if (stride < reach) return true;
        reach += stride * (size - 1);
    }
    return false;
}

}  // namespace

void refuse(const std::string& message) {
    const py::object error = py::module_::import("restore_rt.errors").attr("InputError");
    PyErr_SetString(error.ptr(), message.c_str());
    throw py::error_already_set();
}

Index to_index(py::handle value, const std::string& name, Index low, Index high) {
    const auto number = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
    if (!number) {
        PyErr_Clear();
        throw py::type_error(name + " is " + repr_text(value) + "; it must be a whole number");
    }
    int overflow = 0;
    const Index result = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
    if (overflow != 0 || result < low || result > high) {
        refuse(name + " is " + repr_text(value) + "; allowed are " + std::to_string(low) + " to " +
               std::to_string(high));
    }
    return result;
}

int to_threads(py::handle value) {
    return static_cast<int>(to_index(value, "threads", 1, cpu::kMaxThreads));
}

std::string shape_text(const py::array& array) { return text(array.attr("shape")); }

py::array to_array(py::handle value, const std::string& name, Access access) {
    if (!py::isinstance<py::array>(value)) {
        throw py::type_error(name + " is " + text(py::type::of(value)) +
                             "; it must be a numpy.ndarray");
    }
    const auto array = py::reinterpret_borrow<py::array>(value);
    if (!array.dtype().attr("isnative").cast<bool>()) {
        refuse(name + " is " + dtype_text(array) +
               ", not in this machine's byte order; convert it with astype");
    }
    const auto item = std::max<py::ssize_t>(array.itemsize(), 1);  // types without size exist
    bool aligned = reinterpret_cast<std::uintptr_t>(array.data()) % item == 0;
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
        aligned = aligned && (array.shape(axis) < 2 || array.strides(axis) % item == 0);
    }
    if (!aligned) {
        refuse(name + " is not aligned to its " + std::to_string(item) +
               "-byte items; pass a copy: numpy.array(" + name + ")");
    }
    if (access == Access::write) {
        if (!array.writeable()) refuse(name + " is read-only; pass a writable array");
        if (overlaps_itself(array)) {
            refuse(name + " has strides " + text(array.attr("strides")) + " for shape " +
                   shape_text(array) +
                   ", so its elements overlap; pass an array of its own memory");
        }
    }
    return array;
}

FrameView to_frame(const py::array& array, const std::string& name, Channels allowed, int shift) {
    const auto ndim = array.ndim();
    const auto channels = ndim == 3 ? array.shape(2) : 1;
    const bool fits_frame = channels == 1 || channels == 3 || channels == 4;
    const bool shape_fits = ndim == 2 || (ndim == 3 && allowed == kFrameChannels && fits_frame) ||
                            (ndim == 3 && allowed == kPairChannels && channels == 2);
    if (!shape_fits || array.size() == 0) {
        const char* const more = allowed == kFrameChannels  ? " or (H, W, C) with C 1, 3 or 4"
                                 : allowed == kPairChannels ? " or (H, W, 2)"
                                                            : "";
        refuse(name + " has shape " + shape_text(array) + "; it must be (H, W)" + more +
               ", without a 0");
    }
    Sample sample;
    switch (array.dtype().num()) {
        case kUint8:
            sample = Sample::u8;
            break;
        case kUint16:
            sample = Sample::u16;
            break;
        case kFloat32:
            sample = Sample::f32;
            break;
        default:
            refuse(name + " is " + dtype_text(array) +
                   "; allowed are uint8, uint16 and float32: convert it with astype");
    }
    const auto step = [&](int axis) { return array.strides(axis) / array.itemsize(); };
    // Kernels only ever read a frame through a const pointer, and a writable one was asked for.
    return {const_cast<void*>(array.data()),
            sample,
            array.shape(0),
            array.shape(1),
            static_cast<int>(channels),
            step(0),
            step(1),
            ndim == 3 ? step(2) : 1,
            shift};
}

TilesView to_tiles(const py::array& array, const std::string& name) {
    if (array.ndim() != 4) {
        refuse(name + " has shape " + shape_text(array) + "; it must be (n, C, h, w)");
    }
    if (!(array.flags() & py::array::c_style)) {
        refuse(name + " is not C-contiguous; pass numpy.ascontiguousarray(" + name + ")");
    }
    const int type = array.dtype().num();
    if (type != kFloat32 && type != kFloat16) {
        refuse(name + " is " + dtype_text(array) + "; allowed are float32 and float16");
    }
    const auto channels = std::min<py::ssize_t>(array.shape(1), std::numeric_limits<int>::max());
    return {const_cast<void*>(array.data()),
            type == kFloat32 ? Real::f32 : Real::f16,
            array.shape(0),
            static_cast<int>(channels),
            array.shape(2),
            array.shape(3)};
}

float to_peak(py::handle value, Sample sample, int shift) {
    const int bits = sample == Sample::u8 ? 8 : 16;
    const float largest =
        sample == Sample::f32 ? 1.0f : static_cast<float>((1 << (bits - shift)) - 1);
    if (value.is_none()) return largest;
    const double number = PyFloat_AsDouble(value.ptr());
    if (PyErr_Occurred()) {
        PyErr_Clear();
        throw py::type_error("peak is " + repr_text(value) + "; it must be a number or None");
    }
    const float peak = static_cast<float>(number);
    if (sample == Sample::f32) {
        // From 2^-126: a denormal would divide to infinity where denormals count as zero.
        if (!std::isnormal(peak) || peak < 0.0f) {
            refuse("peak is " + repr_text(value) +
                   "; for float32 frames it must be a positive number");
        }
    } else if (!(number >= 1.0 && number <= largest) || number != std::floor(number)) {
        refuse("peak is " + repr_text(value) +
               "; for these frames it must be a whole number, 1 to " +
               std::to_string(static_cast<int>(largest)));
    }
    return peak;
}

int to_bit_depth(py::handle value, const FrameView& plane) {
    if (plane.sample == Sample::f32) {
        refuse("planes of chroma are float32; allowed are uint8 and uint16");
    }
    const bool bytes = plane.sample == Sample::u8;
    return static_cast<int>(to_index(value, "bit_depth", bytes ? 8 : 9, bytes ? 8 : 16));
}

float grey_of(int bit_depth) {
    return static_cast<float>(1 << (bit_depth - 1)) / static_cast<float>((1 << bit_depth) - 1);
}

FrameView to_chroma_inputs(const py::array& array) {
    if (array.ndim() != 3 || array.shape(2) != kChromaInputs || array.size() == 0 ||
        array.dtype().num() != kFloat32 || !(array.flags() & py::array::c_style)) {
        refuse("inputs is " + dtype_text(array) + " of " + shape_text(array) +
               "; it must be float32 (H, W, " + std::to_string(kChromaInputs) +
               "), C-contiguous, without a 0");
    }
    return {const_cast<void*>(array.data()),
            Sample::f32,
            array.shape(0),
            array.shape(1),
            kChromaInputs,
            array.shape(1) * kChromaInputs,
            kChromaInputs,
            1};
}

FrameView to_rgb(const py::array& array, const std::string& name) {
    const FrameView view = to_frame(array, name, kFrameChannels);
    if (view.channels != 3) {
        refuse(name + " has shape " + shape_text(array) + "; it must be (H, W, 3)");
    }
    return view;
}

float* to_luma(const py::array& array, Index height, Index width) {
    if (array.ndim() != 2 || array.shape(0) != height || array.shape(1) != width ||
        array.dtype().num() != kFloat32 || !(array.flags() & py::array::c_style)) {
        refuse("luma is " + dtype_text(array) + " of " + shape_text(array) +
               "; it must be float32 (" + std::to_string(height) + ", " + std::to_string(width) +
               "), C-contiguous");
    }
    return static_cast<float*>(const_cast<void*>(array.data()));
}

void refuse_shared_memory(const py::array& a, const std::string& a_name, const py::array& b,
                          const std::string& b_name) {
    const Extent first = extent(a);
    const Extent second = extent(b);
    if (first.begin < second.end && second.begin < first.end) {
        refuse(a_name + " and " + b_name +
               " lie in the same memory; pass arrays that do not overlap");
    }
}

}  // namespace rrt::python
