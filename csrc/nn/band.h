// One part of a frame through all layers.
#pragma once

#include "nn/steps.h"
#include "nn/workspace.h"

namespace rrt::nn {

struct Job {
    FrameView out;
    FrameView frame;
    float peak;
    // A chroma network has planes of their own for its two colours, which may lack the last row and
    // column; they have a peak of theirs, and grey, over it, is added to what the network makes.
    const FrameView* second = nullptr;
    float out_peak = 0.0f;
    float grey = 0.0f;
    // A network of luma restores the luma of an RGB frame, whose colour is enlarged beside it.
    const ColourJob* colour = nullptr;
};

/// A box of the picture, enlarged; false if NaN or infinity came out. Writes nothing beside it.
bool run_box(const Model& model, const Job& job, const Box& box, Workspace& workspace);

}  // namespace rrt::nn
