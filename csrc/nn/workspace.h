// The memory of one band: rings of rows, what a strip leaves for the next, and scratch.
#pragma once

#include <vector>

#include "nn/buffer.h"
#include "nn/model.h"

namespace rrt::nn {

/// Strips of columns, in pixels of value 0: narrow enough for all rings to stay in the cache.
struct Strips {
    Index width;
    Index count;
};

/// The strips for so many columns of value 0. Results do not depend on them: tiles stand at
/// multiples of their side.
Strips divide(const Model& model, Index columns);

/// Where one value's rows lie. A row holds `margin` columns that the strip before made, then the
/// strip's, then some beyond; block by block.
struct Ring {
    float* rows;
    float* saved;          // per row of the band, the columns that the next strip reads
    const float* outside;  // a row of what is beyond the frame: zeros, or what stands for them
    Index count;
    Index margin;
    Index block;  // floats, or words of four bytes
    Index row;    // the same

    float* at(Index y) const { return rows + y % count * row; }
};

class Workspace {
  public:
    /// Lays out the memory for a strip width and, for each value, so many rows of the band.
    void prepare(const Model& model, Strips strips, const std::vector<Index>& saved_rows);

    const Ring& ring(std::size_t value) const { return rings_[value]; }
    float* scratch() { return scratch_; }

  private:
    Buffer memory_;
    std::vector<Ring> rings_;
    float* scratch_ = nullptr;
};

}  // namespace rrt::nn
