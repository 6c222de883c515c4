#include <cstdint>
#include <limits>
#include <vector>

#include "python/cuda/bindings.h"

namespace rrt::python {
namespace {

constexpr const char* kInterface = "__cuda_array_interface__";

std::vector<py::ssize_t> to_sides(const py::object& value) {
    std::vector<py::ssize_t> sides;
    for (const py::handle side : value.cast<py::tuple>()) {
        sides.push_back(side.cast<py::ssize_t>());
    }
    return sides;
}

py::array describe(const py::dict& fields, const std::string& name) {
    const py::dtype type = py::dtype::from_args(fields["typestr"]);
    const std::vector<py::ssize_t> shape = to_sides(fields["shape"]);
    const auto data = fields["data"].cast<py::tuple>();
    std::vector<py::ssize_t> strides;
    if (fields.contains("strides") && !fields["strides"].is_none()) {
        strides = to_sides(fields["strides"]);
    } else {
        strides.assign(shape.size(), type.itemsize());
        for (std::size_t axis = shape.size(); axis-- > 1;) {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
    }
    auto* const pointer = reinterpret_cast<void*>(data[0].cast<std::uintptr_t>());
    if (pointer == nullptr) refuse(name + " has no memory: its pointer is 0");
    // With a base, so that nothing is copied.
    py::array array(type, shape, strides, pointer, py::none());
    if (data[1].cast<bool>()) array.attr("setflags")(py::arg("write") = false);
    return array;
}

}  // namespace

py::array to_device_array(py::handle value, const std::string& name, Access access) {
    if (!py::hasattr(value, kInterface)) {
        throw py::type_error(name + " is " + py::str(py::type::of(value)).cast<std::string>() +
                             "; it must be memory of the GPU, with " + kInterface);
    }
    const py::object fields = value.attr(kInterface);
    const auto unreadable = [&] {
        refuse(name + " has a " + kInterface +
               " that cannot be read: " + py::repr(fields).cast<std::string>());
    };
    py::array array;
    try {
        array = describe(fields.cast<py::dict>(), name);
    } catch (const py::cast_error&) {
        unreadable();
    } catch (py::error_already_set& error) {
        if (!error.matches(PyExc_KeyError) && !error.matches(PyExc_TypeError)) throw;
        unreadable();
    }
    return to_array(array, name, access);
}

cuda::Stream to_stream(py::handle value) {
    return static_cast<cuda::Stream>(
        to_index(value, "stream", 1, std::numeric_limits<Index>::max()));
}

}  // namespace rrt::python
