// From Python objects to the kernels' structs: every check that stands before memory is touched.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "core/jobs.h"

namespace rrt::python {

namespace py = pybind11;

enum class Access { read, write };

/// Raises restore_rt.errors.InputError.
[[noreturn]] void refuse(const std::string& message);

/// A whole number within [low, high], which may be of NumPy.
Index to_index(py::handle value, const std::string& name, Index low, Index high);

int to_threads(py::handle value);

/// "(3, 4)"
std::string shape_text(const py::array& array);

/// An aligned array in native byte order; writable and without overlaps of its own for `write`.
py::array to_array(py::handle value, const std::string& name, Access access);

/// What an array may have as its third side, beside none at all.
enum Channels : int { kPlaneChannels = 0, kFrameChannels = 1, kPairChannels = 2 };

/// (H, W), or (H, W, C) with C 1, 3 or 4 in a frame and 2 in a pair; uint8, uint16 or float32.
/// `shift` is as in FrameView.
FrameView to_frame(const py::array& array, const std::string& name, Channels channels,
                   int shift = 0);

/// (n, C, h, w), float32 or float16, C-contiguous.
TilesView to_tiles(const py::array& array, const std::string& name);

/// The default for None; a whole number up to the largest above the shift for integers.
float to_peak(py::handle value, Sample sample, int shift = 0);

/// Bits of a chroma plane's samples, which are integers: 8, or 9 to 16 in uint16.
int to_bit_depth(py::handle value, const FrameView& plane);

/// The sample value of no colour, over the peak.
float grey_of(int bit_depth);

/// (H, W, kChromaInputs), float32, C-contiguous.
FrameView to_chroma_inputs(const py::array& array);

/// (H, W, 3); uint8, uint16 or float32.
FrameView to_rgb(const py::array& array, const std::string& name);

/// (H, W) of these sides; float32, C-contiguous.
float* to_luma(const py::array& array, Index height, Index width);

void refuse_shared_memory(const py::array& a, const std::string& a_name, const py::array& b,
                          const std::string& b_name);

}  // namespace rrt::python
