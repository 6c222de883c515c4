// DLPack's exchange of memory: https://dmlc.github.io/dlpack/latest/c_api.html
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "python/cuda/bindings.h"

namespace rrt::python {
namespace {

constexpr const char* kOffered = "dltensor";
constexpr const char* kTaken = "used_dltensor";

#ifdef RRT_CUDA
constexpr std::int32_t kDevice = 2;  // kDLCUDA
#else
constexpr std::int32_t kDevice = 1;  // kDLCPU: the tests' memory
#endif
constexpr std::int32_t kManaged = 13;  // kDLCUDAManaged

// The structs of dlpack.h; their layout is the protocol.
struct Device {
    std::int32_t type;
    std::int32_t id;
};

struct DataType {
    std::uint8_t code;
    std::uint8_t bits;
    std::uint16_t lanes;
};

struct Tensor {
    void* data;
    Device device;
    std::int32_t ndim;
    DataType dtype;
    std::int64_t* shape;
    std::int64_t* strides;
    std::uint64_t byte_offset;
};

struct ManagedTensor {
    Tensor tensor;
    void* context;
    void (*deleter)(ManagedTensor* self);
};

// Codes of DataType, by NumPy's kinds.
constexpr std::pair<std::uint8_t, char> kKinds[] = {{0, 'i'}, {1, 'u'}, {2, 'f'}};

struct Offered {
    ManagedTensor managed;
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> strides;
    PyObject* owner;
};

void release(ManagedTensor* managed) {
    auto* const offered = static_cast<Offered*>(managed->context);
    {
        const py::gil_scoped_acquire gil;
        Py_DECREF(offered->owner);
    }
    delete offered;
}

void release_untaken(PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, kOffered)) return;
    auto* const managed = static_cast<ManagedTensor*>(PyCapsule_GetPointer(capsule, kOffered));
    if (managed->deleter != nullptr) managed->deleter(managed);
}

py::object to_dlpack(const py::object& value, int device) {
    const py::array array = to_device_array(value, "array", Access::read);
    auto offered = std::make_unique<Offered>();
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
        offered->shape.push_back(array.shape(axis));
        offered->strides.push_back(array.strides(axis) / array.itemsize());
    }
    DataType dtype{0, static_cast<std::uint8_t>(8 * array.itemsize()), 1};
    bool known = false;
    for (const auto& [code, kind] : kKinds) {
        if (array.dtype().kind() != kind) continue;
        dtype.code = code;
        known = true;
    }
    if (!known) {
        refuse("array is " + py::str(array.dtype()).cast<std::string>() +
               "; DLPack passes on integers and floats");
    }
    offered->managed = {{const_cast<void*>(array.data()),
                         {kDevice, device},
                         static_cast<std::int32_t>(array.ndim()),
                         dtype,
                         offered->shape.data(),
                         offered->strides.data(),
                         0},
                        offered.get(),
                        &release};
    PyObject* const capsule = PyCapsule_New(&offered->managed, kOffered, &release_untaken);
    if (capsule == nullptr) throw py::error_already_set();
    offered->owner = value.inc_ref().ptr();
    offered.release();
    return py::reinterpret_steal<py::object>(capsule);
}

/// Memory of somebody else, given back when this ends.
class Taken {
  public:
    explicit Taken(ManagedTensor* managed) : managed_(managed) {}
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    ~Taken() {
        if (managed_->deleter != nullptr) managed_->deleter(managed_);
    }

    py::dict interface() const {
        const Tensor& tensor = managed_->tensor;
        py::tuple shape(tensor.ndim);
        for (int axis = 0; axis < tensor.ndim; ++axis) shape[axis] = tensor.shape[axis];
        py::object strides = py::none();
        const int bytes = tensor.dtype.bits / 8;
        if (tensor.strides != nullptr) {
            py::tuple steps(tensor.ndim);
            for (int axis = 0; axis < tensor.ndim; ++axis) {
                steps[axis] = tensor.strides[axis] * bytes;
            }
            strides = steps;
        }
        char kind = '?';
        for (const auto& [code, letter] : kKinds) {
            if (tensor.dtype.code == code) kind = letter;
        }
        py::dict fields;
        fields["shape"] = shape;
        fields["strides"] = strides;
        fields["typestr"] = (bytes == 1 ? "|" : "<") + std::string(1, kind) + std::to_string(bytes);
        fields["data"] = py::make_tuple(
            reinterpret_cast<std::uintptr_t>(tensor.data) + tensor.byte_offset, false);
        fields["version"] = 3;
        return fields;
    }

  private:
    ManagedTensor* managed_;
};

std::unique_ptr<Taken> from_dlpack(const py::object& capsule) {
    if (!PyCapsule_IsValid(capsule.ptr(), kOffered)) {
        refuse("capsule is " + py::repr(capsule).cast<std::string>() +
               "; it must be what __dlpack__ returns, and can be taken once");
    }
    auto* const managed =
        static_cast<ManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), kOffered));
    const Tensor& tensor = managed->tensor;
    if (tensor.device.type != kDevice && tensor.device.type != kManaged) {
        refuse("the memory is of DLPack's device type " + std::to_string(tensor.device.type) +
               "; it must be memory of an NVIDIA GPU, type " + std::to_string(kDevice));
    }
    if (tensor.dtype.lanes != 1 || tensor.dtype.bits % 8 != 0 || tensor.dtype.code > 2) {
        refuse("the memory is of DLPack's data type " + std::to_string(tensor.dtype.code) + ", " +
               std::to_string(tensor.dtype.bits) + " bits, " + std::to_string(tensor.dtype.lanes) +
               " lanes; it must be integers or floats of whole bytes");
    }
    auto taken = std::make_unique<Taken>(managed);
    // From here on its deleter is ours to call.
    if (PyCapsule_SetName(capsule.ptr(), kTaken) != 0) throw py::error_already_set();
    return taken;
}

}  // namespace

void bind_dlpack(py::module_& module) {
    py::class_<Taken>(module, "DlpackMemory", py::module_local(),
                      "Memory of the GPU that was taken over by DLPack.")
        .def_property_readonly("__cuda_array_interface__", &Taken::interface);
    module.def("to_dlpack", &to_dlpack, py::arg("array"), py::arg("device"),
               "Offer an array's memory; it is kept until the taker lets go.");
    module.def("from_dlpack", &from_dlpack, py::arg("capsule"),
               "Take the memory that a capsule offers.");
}

}  // namespace rrt::python
