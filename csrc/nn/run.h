// A network over a whole frame or parts of it: split, layers, merge and chroma in one pass.
#pragma once

#include <vector>

#include "nn/band.h"

namespace rrt::nn {

/// What to make of a result: boxes that do not overlap, and of each plane of chroma spans of rows.
struct Parts {
    std::vector<Box> boxes;
    std::vector<std::vector<Span>> chroma;
};

Parts whole_of(const Model& model, const Job& job, const std::vector<UpsampleJob>& chroma);

/// Fills job.out, which is model.scale() times job.frame, or parts of it; false if NaN or infinity
/// came out.
///
/// Results do not depend on `threads` or on `band_rows`, the height of a band in pixels of value 0;
/// 0 is one band for each thread. `chroma` are planes that are enlarged beside the frame, each
/// thread a share of their rows. What is made of a part is to the last bit what is there in the
/// whole.
bool run(const Model& model, const Job& job, int threads, Index band_rows,
         const std::vector<UpsampleJob>& chroma, const Parts& parts);

inline bool run(const Model& model, const Job& job, int threads, Index band_rows,
                const std::vector<UpsampleJob>& chroma = {}) {
    return run(model, job, threads, band_rows, chroma, whole_of(model, job, chroma));
}

}  // namespace rrt::nn
