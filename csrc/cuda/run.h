// The operations on the GPU: queued on a stream, with nothing allocated and nothing waited for.
#pragma once

#include <cstdint>

#include "core/jobs.h"
#include "cuda/pixels.h"
#include "cuda/stream.h"

namespace rrt::cuda {

/// More tiles than this in a grid are refused: they are counted in 32 bits.
inline constexpr Index kMostTiles = (Index{1} << 31) - 1;

void split(const SplitJob& job, const Levels& levels, Stream stream);

/// Rows of tiles, whose pieces are written; *flag becomes 1 if NaN or infinity was read.
void merge(const MergeJob& job, Span tile_rows, const Levels& levels, std::uint32_t* flag,
           Stream stream);

void upsample(const UpsampleJob& job, Stream stream);

}  // namespace rrt::cuda
