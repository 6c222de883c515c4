// The operations on the CPU: the kernels in use, over horizontal bands, one for each thread.
#pragma once

#include "core/jobs.h"

namespace rrt::cpu {

inline constexpr int kMaxThreads = 256;

void split(const SplitJob& job, int threads);

/// False if NaN or infinity was read; the frame then holds something, but nothing to rely on.
bool merge(const MergeJob& job, int threads);

void upsample(const UpsampleJob& job, int threads);

void chroma_inputs(const ChromaJob& job, int threads);

void luma(const LumaJob& job, int threads);

/// `luma` is the target's, as LumaJob has it; false if NaN or infinity came out.
bool colour(const ColourJob& job, const float* luma, int threads);

}  // namespace rrt::cpu
