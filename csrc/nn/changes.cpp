#include "nn/changes.h"

#include <algorithm>
#include <cstring>

#include "core/taps.h"

namespace rrt::nn {
namespace {

// A cell is a step high, and as wide as is worth a comparison of its own.
constexpr Index kStepsAcross = 4;
constexpr Index kCellWidth = kStepsAcross * kTile;
// Rows of cells that are looked at first. If fewer of them are unchanged than would gain anything,
// the others are not.
constexpr Index kSamples = 16;
// Of the work for a whole frame, what must be saved at least.
constexpr Index kLeastGain = 20;  // one part in so many

Index divide_up(Index a, Index b) { return (a + b - 1) / b; }

struct Grid {
    Index rows;
    Index columns;
    std::vector<char> cells;

    Grid(Index height, Index width)
        : rows(height), columns(width), cells(static_cast<std::size_t>(height * width)) {}
    char& at(Index y, Index x) { return cells[static_cast<std::size_t>(y * columns + x)]; }
    char at(Index y, Index x) const { return cells[static_cast<std::size_t>(y * columns + x)]; }
};

template <class S>
bool differ_as(const FrameView& a, const FrameView& b, Index y, Span columns) {
    const S* const first = static_cast<const S*>(a.data) + y * a.row;
    const S* const second = static_cast<const S*>(b.data) + y * b.row;
    const auto dense = [](const FrameView& frame) {
        return frame.column == frame.channels && (frame.channels == 1 || frame.channel == 1);
    };
    if (dense(a) && dense(b)) {
        const std::size_t bytes = static_cast<std::size_t>(columns.size() * a.channels) * sizeof(S);
        return std::memcmp(first + columns.begin * a.column, second + columns.begin * b.column,
                           bytes) != 0;
    }
    for (int c = 0; c < a.channels; ++c) {
        for (Index x = columns.begin; x < columns.end; ++x) {
            // Bits: a float's NaN is itself, and its zeros are two.
            if (std::memcmp(first + x * a.column + c * a.channel,
                            second + x * b.column + c * b.channel, sizeof(S)) != 0) {
                return true;
            }
        }
    }
    return false;
}

bool differ(const Pair& pair, Index y, Span columns) {
    const FrameView &a = pair.now, &b = pair.before;
    if (a.sample == Sample::u8) return differ_as<std::uint8_t>(a, b, y, columns);
    if (a.sample == Sample::u16) return differ_as<std::uint16_t>(a, b, y, columns);
    return differ_as<float>(a, b, y, columns);
}

/// Marks the cells of a row of them in which the pictures differ.
void mark_row(Grid& grid, const Pair& pair, Index row) {
    const Index size = kCellWidth * pair.ratio;
    const Index end = std::min(kTile * pair.ratio * (row + 1), pair.now.height);
    for (Index y = kTile * pair.ratio * row; y < end; ++y) {
        if (!differ(pair, y, {0, pair.now.width})) continue;
        for (Index x = 0; x < grid.columns; ++x) {
            const Span columns{x * size, std::min((x + 1) * size, pair.now.width)};
            if (grid.at(row, x) || columns.size() <= 0) continue;
            grid.at(row, x) = differ(pair, y, columns);
        }
    }
}

/// How a change in the steps of value 0 spreads along one axis to those of the result, which begin
/// `lag` pixels before its own.
struct Spread {
    Index lag;
    Index behind;  // steps of the result before the change
    Index ahead;   // and after it
    Index lead;    // pixels that a value makes beyond what is wanted, in the mean
};

Spread spread_of(const Model& model, Index reach) {
    const Value& last = model.values().back();
    const Index lag = last.delay / last.shape.scale;
    // Far from all edges.
    const Index step = Index{1} << 20;
    const Steps steps =
        find_steps(model, {kTile * step - lag, kTile * (step + 1) - lag}, 2 * kTile * step);
    Index begun = 0;
    for (const Index begin : steps.begins) begun += step - std::min(begin, step);
    const Index around = divide_up(reach, kTile);
    return {lag, steps.end - 1 - step + around, step - steps.first + around,
            kTile * begun / static_cast<Index>(steps.begins.size())};
}

/// The steps of a result that steps of value 0 change; of cells, which hold several steps across.
Grid grow(const Grid& grid, const Spread& spread, Index height, Index width) {
    Grid across(grid.rows, divide_up(width + spread.lag, kCellWidth));
    const Index left = divide_up(spread.behind, kStepsAcross);
    const Index right = divide_up(spread.ahead, kStepsAcross);
    for (Index y = 0; y < grid.rows; ++y) {
        for (Index x = 0; x < grid.columns; ++x) {
            if (!grid.at(y, x)) continue;
            const Index end = std::min(x + right + 1, across.columns);
            for (Index i = std::max<Index>(x - left, 0); i < end; ++i) across.at(y, i) = 1;
        }
    }
    Grid grown(divide_up(height + spread.lag, kTile), across.columns);
    for (Index y = 0; y < grid.rows; ++y) {
        const Index end = std::min(y + spread.ahead + 1, grown.rows);
        for (Index i = std::max<Index>(y - spread.behind, 0); i < end; ++i) {
            for (Index x = 0; x < grown.columns; ++x) grown.at(i, x) |= across.at(y, x);
        }
    }
    return grown;
}

void unite(Span& all, Span more) {
    if (more.size() <= 0) return;
    all =
        all.size() <= 0 ? more : Span{std::min(all.begin, more.begin), std::max(all.end, more.end)};
}

/// Covers the marked cells of a grid with boxes, by cutting a box in two as long as that saves work
/// (a recursive XY cut: Nagy and Seth, "Hierarchical representation of optically scanned
/// documents", 1984; here also where there is no gap).
class Cover {
  public:
    Cover(const Grid& grid, Index lead) : grid_(grid), lead_(lead) {
        cut(bounds({{0, grid.rows}, {0, grid.columns}}));
    }

    /// In cells.
    const std::vector<Box>& boxes() const { return boxes_; }

    Index cost(const Box& box) const {
        return (box.rows.size() * kTile + lead_) * (box.columns.size() * kCellWidth + lead_);
    }

    Index cost() const {
        Index sum = 0;
        for (const Box& box : boxes_) sum += cost(box);
        return sum;
    }

  private:
    static bool is_empty(const Box& box) { return box.rows.size() <= 0; }

    /// The marked cells of each row, or column, of a box.
    std::vector<Span> lines(const Box& box, bool down) const {
        const Span along = down ? box.rows : box.columns;
        const Span across = down ? box.columns : box.rows;
        std::vector<Span> found;
        for (Index i = along.begin; i < along.end; ++i) {
            Span marked{0, 0};
            for (Index j = across.begin; j < across.end; ++j) {
                if (down ? grid_.at(i, j) : grid_.at(j, i)) unite(marked, {j, j + 1});
            }
            found.push_back(marked);
        }
        return found;
    }

    /// The smallest box about the marked cells of a box.
    Box bounds(const Box& box) const {
        Box found{{0, 0}, {0, 0}};
        const std::vector<Span> rows = lines(box, true);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (rows[i].size() <= 0) continue;
            const Index y = box.rows.begin + static_cast<Index>(i);
            unite(found.rows, {y, y + 1});
            unite(found.columns, rows[i]);
        }
        return found;
    }

    /// The smallest boxes about the lines before each one; is_empty if none is marked.
    static std::vector<Box> halves(const std::vector<Span>& lines, Span along, bool down,
                                   bool backward) {
        std::vector<Box> found(lines.size() + 1, Box{{0, 0}, {0, 0}});
        Box all{{0, 0}, {0, 0}};
        for (std::size_t n = 0; n < lines.size(); ++n) {
            const std::size_t i = backward ? lines.size() - 1 - n : n;
            if (lines[i].size() > 0) {
                const Index at = along.begin + static_cast<Index>(i);
                unite(down ? all.rows : all.columns, {at, at + 1});
                unite(down ? all.columns : all.rows, lines[i]);
            }
            found[backward ? i : i + 1] = all;
        }
        return found;
    }

    void cut(const Box& box) {
        if (is_empty(box)) return;
        Index least = cost(box);
        Box best[2]{box, {{0, 0}, {0, 0}}};
        for (const bool down : {true, false}) {
            const Span along = down ? box.rows : box.columns;
            const std::vector<Span> marked = lines(box, down);
            const std::vector<Box> before = halves(marked, along, down, false);
            const std::vector<Box> behind = halves(marked, along, down, true);
            for (std::size_t i = 1; i < marked.size(); ++i) {
                const Index both = cost(before[i]) + cost(behind[i]);
                if (both >= least) continue;
                least = both;
                best[0] = before[i];
                best[1] = behind[i];
            }
        }
        if (is_empty(best[1])) return boxes_.push_back(box);
        cut(best[0]);
        cut(best[1]);
    }

    const Grid& grid_;
    const Index lead_;
    std::vector<Box> boxes_;
};

/// Looks at some rows, and at the others if enough of the cells are unchanged there.
bool mark(Grid& grid, const std::vector<Pair>& pairs) {
    const Index apart = std::max<Index>(grid.rows / kSamples, 1);
    const auto mark_rows = [&](bool sampled) {
        for (Index y = 0; y < grid.rows; ++y) {
            if ((y % apart == apart / 2) != sampled) continue;
            for (const Pair& pair : pairs) mark_row(grid, pair, y);
        }
    };
    mark_rows(true);
    const Index marked = std::count(grid.cells.begin(), grid.cells.end(), 1);
    const Index seen = (grid.rows - apart / 2 + apart - 1) / apart * grid.columns;
    if ((seen - marked) * kLeastGain < seen) return false;
    mark_rows(false);
    return true;
}

}  // namespace

std::vector<Box> find_changes(const Model& model, Index height, Index width,
                              const std::vector<Pair>& pairs, Index reach) {
    const std::vector<Box> whole{{{0, height}, {0, width}}};
    Grid grid(divide_up(height, kTile), divide_up(width, kCellWidth));
    if (!mark(grid, pairs)) return whole;
    const Spread spread = spread_of(model, reach);
    const Grid grown = grow(grid, spread, height, width);
    const Cover cover(grown, spread.lead);
    const Index all = cover.cost({{0, grown.rows}, {0, grown.columns}});
    if (cover.cost() > all - all / kLeastGain) return whole;
    std::vector<Box> boxes;
    for (const Box& box : cover.boxes()) {
        const auto pixels = [&](Span cells, Index size, Index length) {
            return Span{std::max<Index>(cells.begin * size - spread.lag, 0),
                        std::min(cells.end * size - spread.lag, length)};
        };
        const Box made{pixels(box.rows, kTile, height), pixels(box.columns, kCellWidth, width)};
        if (made.rows.size() > 0 && made.columns.size() > 0) boxes.push_back(made);
    }
    return boxes;
}

std::vector<Span> find_row_changes(const FrameView& now, const FrameView& before, Index scale,
                                   Index height) {
    const Pair pair{now, before, 1};
    // An enlargement by 1 is a copy.
    const Index reach = scale > 1 ? kTapsReach : 0;
    std::vector<Span> found;
    for (Index y = 0; y < now.height; ++y) {
        if (!differ(pair, y, {0, now.width})) continue;
        const Index begin = std::max<Index>((y - reach) * scale, 0);
        const Index end = std::min((y + reach + 1) * scale, height);
        if (!found.empty() && begin <= found.back().end) {
            found.back().end = end;
        } else {
            found.push_back({begin, end});
        }
    }
    return found;
}

}  // namespace rrt::nn
