// A network over a whole frame: split, layers, merge and chroma in one pass.
#pragma once

#include <vector>

#include "nn/band.h"

namespace rrt::nn {

/// Fills job.out, which is model.scale() times job.frame; false if NaN or infinity came out.
///
/// Results do not depend on `threads` or on `band_rows`, the height of a band in the frame's rows;
/// 0 is one band for each thread. `chroma` are planes that are enlarged beside the frame: each band
/// makes its share of their rows, too.
bool run(const Model& model, const Job& job, int threads, Index band_rows,
         const std::vector<UpsampleJob>& chroma = {});

}  // namespace rrt::nn
