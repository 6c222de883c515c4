// Holes in a frame: filled from what surrounds them, and how deep they are.
#pragma once

#include "core/jobs.h"

namespace rrt::cpu {

/// Replaces the pixels whose mask is not 0, and no others, by push-pull: the known pixels are
/// averaged into a pyramid by halves (Gortler et al., "The Lumigraph", 1996, with weights of 0 and
/// 1), and from its top each level's holes are filled bilinearly from the level above; `sweeps`
/// passes over them, there and back, then level them towards the mean of their four neighbours, as
/// Gauss and Seidel do. The result depends on neither the threads nor the CPU. At least one pixel
/// must be known.
void fill_holes(const FillJob& job, int threads);

/// For each pixel of the mask the distance to the nearest that is 0, along rows, columns and
/// diagonals, 255 where it is farther; `depth` is height * width bytes. Beyond the edge nothing is
/// known.
void hole_depth(std::uint8_t* depth, const FrameView& mask);

/// Half of a frame, sides rounded up: each pixel is the mean of those of its four that are known,
/// and is known itself, 0 in `small_mask` and else 255, if there is one.
void halve(const FrameView& small, const FrameView& small_mask, const FillJob& job);

/// Goes over to what was made of the halved frame, enlarged bilinearly, deep in holes: from
/// `radius` pixels on, wholly from twice that.
void blend_half(const FrameView& frame, const FrameView& half, const FrameView& depth, int radius);

}  // namespace rrt::cpu
