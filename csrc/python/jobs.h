// The kernels' jobs from Python's arguments, the same for every device.
#pragma once

#include "python/arrays.h"

namespace rrt::python {

/// `shift` is as in FrameView.
SplitJob to_split_job(const py::array& tiles, const py::array& frame, const Grid& grid,
                      const py::object& first, const py::object& peak, int shift = 0);

/// Rows of tiles, from None for all or (begin, end).
Span to_tile_rows(const py::object& rows, const Grid& grid);

MergeJob to_merge_job(const py::array& frame, const py::array& tiles, const Grid& grid,
                      Span tile_rows, const py::object& peak, int shift = 0);

/// A plane, or with kPairChannels two that are interleaved.
UpsampleJob to_upsample_job(const py::array& dst, const py::array& src, const py::object& scale,
                            const py::object& phase, const py::object& peak,
                            Channels channels = kPlaneChannels, int shift = 0);

/// An RGB frame and what it becomes with another luma.
ColourJob to_colour_job(const py::array& out, const py::array& frame, int scale);

}  // namespace rrt::python
