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
    for (const std::string& candidate : cpu::isa_names()) {
        available += (available.empty() ? "" : ", ") + candidate;
    }
    refuse(from + " is '" + name + "'; this CPU has " + available);
}

}  // namespace

void bind_isa(py::module_& module) {
    module.def("isa", &cpu::isa_name, "The instruction set in use.");
    module.def("isas", &cpu::isa_names, "The instruction sets that this CPU has, the best last.");
    module.def(
        "set_isa", [](const std::string& name) { select(name, "isa"); }, py::arg("name"),
        "Use another instruction set; results are the same.");
    if (const char* wanted = std::getenv(kVariable); wanted != nullptr && *wanted != '\0') {
        select(wanted, kVariable);
    }
}

}  // namespace rrt::python
