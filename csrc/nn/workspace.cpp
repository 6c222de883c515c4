#include "nn/workspace.h"

#include <algorithm>
#include <cstring>

namespace rrt::nn {
namespace {

// Left of the frame a tile may begin up to three columns early, and reads one more.
constexpr Index kLeastMargin = kTile;
// Right of a strip four tiles that are made at once may end so much late, and vectors read whole
// blocks of thin pixels.
constexpr Index kSlack = 4 * kTile;
// Whole groups of tiles, so that no products work on few of them.
constexpr Index kStep = 12 * kTile;
// Rows should not lie a power of two apart, or they would fall on the same cache lines.
constexpr Index kLine = 16;

Index round_up_to(Index value, Index multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

Index ring_rows(const Value& value) { return kTile * value.shape.scale + value.reach; }

}  // namespace

Strips divide(const Model& model, Index columns) {
    Index bytes = 0;  // for one column of the frame
    Index least = kTile;
    for (const Value& value : model.values()) {
        const Index scale = value.shape.scale;
        bytes += ring_rows(value) * scale * value.pixel * value.blocks * 4;
        const Index lag = (value.delay + scale - 1) / scale;
        // The first strip may begin beyond the frame's left edge, and a strip feeds the next alone.
        least = std::max(least, lag + kSlack + (value.reach + scale - 1) / scale);
    }
    const Index most = std::max(least, model.ring_bytes() / bytes);
    const Index count = (columns + most - 1) / most;
    const Index width = round_up_to(std::max(least, (columns + count - 1) / count), kStep);
    return {width, (columns + width - 1) / width};
}

void Workspace::prepare(const Model& model, Strips strips, const std::vector<Index>& saved_rows) {
    const std::vector<Value>& values = model.values();
    rings_.resize(values.size());
    Index total = 0;
    std::vector<Index> starts;
    for (std::size_t v = 0; v < values.size(); ++v) {
        const Value& value = values[v];
        Ring& ring = rings_[v];
        ring.count = ring_rows(value);
        ring.margin = std::max(kLeastMargin, value.reach);
        const Index columns = ring.margin + strips.width * value.shape.scale + kSlack;
        ring.block = round_up_to(columns * value.pixel, kLine) + kLine;
        ring.row = ring.block * value.blocks;
        starts.push_back(total);
        total += ring.count * ring.row;
        starts.push_back(total);
        const Index each = value.reach * value.pixel * value.blocks;
        total += round_up_to(saved_rows[v] * each, kLine);
    }
    // Rows beyond the frame: one for all floats, and one for each value of bytes.
    Index longest = 0;
    for (const Ring& ring : rings_)
        longest = std::max(longest, round_up_to(ring.row, kLine) + kLine);
    std::vector<Index> outside;
    const Index zeros = total;
    total += longest;
    for (const Value& value : values) {
        outside.push_back(value.shape.quantisation ? total : zeros);
        if (value.shape.quantisation) total += longest;
    }
    Index scratch = 0;
    for (std::size_t i = 0; i < model.layers().size(); ++i) {
        if (!keeps_size(model.layers()[i])) continue;
        scratch = std::max(scratch, scratch_floats(model.filter(i)));
    }
    const std::size_t needed = static_cast<std::size_t>(total + scratch);
    if (memory_.size() < needed) memory_ = Buffer(needed);
    for (std::size_t v = 0; v < values.size(); ++v) {
        rings_[v].rows = memory_.data() + starts[2 * v];
        rings_[v].saved = memory_.data() + starts[2 * v + 1];
        float* const row = memory_.data() + outside[v];
        std::memset(row, values[v].shape.quantisation.zero,
                    static_cast<std::size_t>(longest) * sizeof(float));
        rings_[v].outside = row;
    }
    scratch_ = memory_.data() + total;
}

}  // namespace rrt::nn
