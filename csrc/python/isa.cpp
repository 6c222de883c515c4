#include <cstdlib>

#include "cpu/kernels.h"
#include "python/arrays.h"
#include "python/bindings.h"

namespace rrt::python {
namespace {

constexpr const char* kVariable = "RESTORE_RT_ISA";

void select(const std::string& name, const std::string& from) {
    if (cpu::select_kernels(name)) return;
    std::string available;
    for (const cpu::Kernels* candidate : cpu::available_kernels()) {
        available += (available.empty() ? "" : ", ") + std::string(candidate->name);
    }
    refuse(from + " is '" + name + "'; this CPU has " + available);
}

}  // namespace

void bind_isa(py::module_& module) {
    module.def("isa", [] { return cpu::kernels().name; }, "The instruction set in use.");
    module.def(
        "set_isa", [](const std::string& name) { select(name, "isa"); }, py::arg("name"),
        "Use another instruction set; results are the same.");
    if (const char* wanted = std::getenv(kVariable); wanted != nullptr && *wanted != '\0') {
        select(wanted, kVariable);
    }
}

}  // namespace rrt::python
