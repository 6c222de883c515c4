// One band of a frame's rows through all layers.
#pragma once

#include "nn/workspace.h"

namespace rrt::nn {

struct Job {
    FrameView out;
    FrameView frame;
    float peak;
};

/// Rows [rows.begin, rows.end) of the frame, enlarged; false if NaN or infinity came out.
bool run_band(const Model& model, const Job& job, Strips strips, Span rows, Workspace& workspace);

}  // namespace rrt::nn
