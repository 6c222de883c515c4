// A network over a whole frame: split, layers and merge in one pass.
#pragma once

#include "nn/band.h"

namespace rrt::nn {

/// Fills job.out, which is model.scale() times job.frame; false if NaN or infinity came out.
///
/// Results do not depend on `threads` or on `band_rows`, the height of a band in the frame's rows;
/// 0 is one band for each thread.
bool run(const Model& model, const Job& job, int threads, Index band_rows);

}  // namespace rrt::nn
