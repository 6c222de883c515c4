// Parts of results, as Python has them: in pixels of the result.
#pragma once

#include <vector>

#include "nn/run.h"
#include "python/arrays.h"

namespace rrt::python {

/// The whole for None; or boxes (top, left, bottom, right), whose sides stand on whole pixels of
/// value 0 or on the result's edges.
std::vector<nn::Box> to_boxes(py::handle value, const nn::Model& model, const nn::Job& job);

/// Spans (begin, end) of a plane's rows.
std::vector<Span> to_row_spans(py::handle value, const std::string& name, Index height);

}  // namespace rrt::python
