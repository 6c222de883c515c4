// Work without the GIL.
#pragma once

#include <pybind11/pybind11.h>
#include <unistd.h>

#include <exception>

namespace rrt::python {

/// Takes the GIL back. Before Python 3.14 a daemon thread that asks for it while the interpreter
/// ends is unwound, through destructors that need the GIL or are noexcept, which would abort the
/// process. Here it stops instead, as it does from 3.14 on.
inline void restore_gil(PyThreadState* state) {
    try {
        PyEval_RestoreThread(state);
    } catch (...) {
        for (;;) pause();
    }
}

/// Runs work() with the GIL released.
template <class Work>
void without_gil(Work work) {
    std::exception_ptr error;
    PyThreadState* const state = PyEval_SaveThread();
    try {
        work();
    } catch (...) {
        error = std::current_exception();
    }
    restore_gil(state);
    if (error) std::rethrow_exception(error);
}

}  // namespace rrt::python
