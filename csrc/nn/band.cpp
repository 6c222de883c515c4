#include "nn/band.h"

#include <algorithm>
#include <cstring>

#include "nn/kernels.h"

namespace rrt::nn {
namespace {

Span clip(Span span, Index length) {
    return {std::max<Index>(span.begin, 0), std::min(span.end, length)};
}

/// A box of the picture; its rows are a band of it.
class Band {
  public:
    Band(const Model& model, const Job& job, const Box& box, Workspace& workspace)
        : model_(model),
          job_(job),
          box_(box),
          down_(find_steps(model, box.rows, model.blocks_of(job.frame.height))),
          across_(find_steps(model, box.columns, model.blocks_of(job.frame.width))),
          strips_(divide(model, kTile * (across_.end - across_.first))),
          workspace_(workspace),
          kernels_(model.kernels()) {
        std::vector<Index> saved;
        for (std::size_t v = 0; v < values().size(); ++v) {
            const Index first = rows_of(v, down_.begins[v]).begin;
            saved.push_back(std::max<Index>(rows_of(v, down_.end - 1).end - first, 0));
            first_rows_.push_back(first);
        }
        workspace_.prepare(model_, strips_, saved);
    }

    bool run() {
        for (strip_ = 0; strip_ < strips_.count; ++strip_) {
            for (Index step = down_.first; step < down_.end; ++step) {
                for (std::size_t v = 0; v < values().size(); ++v) {
                    if (step >= down_.begins[v]) make(v, step);
                }
            }
        }
        return finite_;
    }

  private:
    const std::vector<Value>& values() const { return model_.values(); }
    const Value& value(std::size_t v) const { return values()[v]; }
    Index height(std::size_t v) const {
        return model_.blocks_of(job_.frame.height) * value(v).shape.scale;
    }
    Index width(std::size_t v) const {
        return model_.blocks_of(job_.frame.width) * value(v).shape.scale;
    }

    /// A value's rows in a step.
    Span rows_of(std::size_t v, Index step) const {
        return clip(pixels_of(value(v), step), height(v));
    }

    /// A value's columns in the strip, in the frame or not.
    Span all_columns(std::size_t v) const {
        const Index scale = value(v).shape.scale;
        const Index begin = (kTile * across_.first + strip_ * strips_.width) * scale;
        return {begin - value(v).delay, begin + strips_.width * scale - value(v).delay};
    }

    /// Those of them that the box needs.
    Span columns_of(std::size_t v) const {
        const Span strip = all_columns(v);
        const Index first = pixels_of(value(v), across_.begins[v]).begin;
        const Index end = pixels_of(value(v), across_.end).begin;
        return clip({std::max(strip.begin, first), std::min(strip.end, end)}, width(v));
    }

    /// The pixel of a value at (y, x), which may lie outside of the frame.
    const float* source_at(std::size_t v, Index y, Index x) const {
        const Ring& ring = workspace_.ring(v);
        const Index column = (x - all_columns(v).begin + ring.margin) * value(v).pixel;
        if (y < 0 || y >= height(v)) return ring.outside + column;
        return ring.at(y) + column;
    }

    float* target_at(std::size_t v, Index y, Index x) const {
        return const_cast<float*>(source_at(v, y, x));
    }

    void make(std::size_t v, Index step) {
        const Span rows = rows_of(v, step);
        if (rows.size() <= 0) return;
        const Span columns = columns_of(v);
        if (strip_ > 0) {
            for (Index y = rows.begin; y < rows.end; ++y) restore(v, y);
        }
        if (columns.size() > 0) {
            if (v == 0) {
                load(v, rows, columns);
            } else if (keeps_size(model_.layers()[v - 1])) {
                convolve(v, pixels_of(value(v), step), columns);
            } else if (model_.layers()[v - 1].step == Step::frame) {
                load(v, rows, columns);
            } else {
                resize(v, rows, columns);
            }
        }
        for (Index y = rows.begin; y < rows.end; ++y) {
            clear_outside(v, y);
            if (strip_ + 1 < strips_.count) save(v, y);
        }
        if (v + 1 == values().size() && columns.size() > 0) store(v, rows, columns);
    }

    /// The frame, in blocks as small as the value's size wants them.
    void load(std::size_t v, Span rows, Span columns) {
        const int multiple = model_.unshuffle();
        const int unshuffle = multiple / value(v).shape.scale;
        for (Index y = rows.begin; y < rows.end; ++y) {
            kernels_.load({job_.frame, job_.peak, unshuffle, multiple, y, columns,
                           target_at(v, y, columns.begin), workspace_.ring(v).block,
                           job_.colour != nullptr});
        }
    }

    void convolve(std::size_t v, Span rows, Span columns) {
        const Layer& layer = model_.layers()[v - 1];
        const std::size_t source = static_cast<std::size_t>(layer.source);
        const Filter& filter = model_.filter(v - 1);
        const bool tiles = is_in_tiles(filter.algorithm);
        Index x = columns.begin;
        if (tiles) {
            // Tiles stand where the strip begins, which may be left of the frame.
            const Index anchor = all_columns(v).begin;
            x = anchor + (x - anchor) / kTile * kTile;
        }
        ConvCall call{};
        call.filter = &filter;
        call.columns = columns.end - x;
        call.source_pixel = value(source).pixel;
        call.target_pixel = value(v).pixel;
        call.source_block = workspace_.ring(source).block;
        call.target_block = workspace_.ring(v).block;
        call.scratch = workspace_.scratch();
        const std::size_t residual = static_cast<std::size_t>(std::max(layer.residual, 0));
        if (layer.residual >= 0) {
            call.residual_pixel = value(residual).pixel;
            call.residual_channels = value(residual).shape.channels;
            call.residual_block = workspace_.ring(residual).block;
        }
        for (Index y = rows.begin; y < rows.end; y += kTile) {
            for (Index i = 0; i < kTile + 2; ++i) {
                call.sources[i] = source_at(source, y + i - 1, x);
            }
            for (Index i = 0; i < kTile; ++i) {
                const bool inside = y + i >= 0 && y + i < height(v);
                call.targets[i] = inside ? target_at(v, y + i, x) : nullptr;
                call.residuals[i] = layer.residual >= 0 ? source_at(residual, y + i, x) : nullptr;
            }
            run(call);
        }
    }

    void run(const ConvCall& call) {
        switch (call.filter->algorithm) {
            case Algorithm::direct:
                return kernels_.direct(call);
            case Algorithm::direct_fp64:
                return kernels_.direct_fp64(call);
            case Algorithm::tail:
                return kernels_.tail(call);
            case Algorithm::winograd:
                return kernels_.winograd(call);
            case Algorithm::winograd_bf16:
#ifdef __x86_64__
                return winograd_bf16(call);
#endif
                break;
            case Algorithm::direct_amx:
#ifdef __x86_64__
                return direct_amx(call);
#endif
                break;
            case Algorithm::direct_int8:
                return kernels_.direct_int8(call);
            case Algorithm::direct_vnni:
                return model_.vnni()(call);
            case Algorithm::quantise:
                if (!kernels_.quantise(call)) finite_ = false;
                return;
            case Algorithm::dequantise:
                return kernels_.dequantise(call);
        }
    }

    void resize(std::size_t v, Span rows, Span columns) {
        const Layer& layer = model_.layers()[v - 1];
        const std::size_t source = static_cast<std::size_t>(layer.source);
        const Index last = height(source) - 1;
        ResizeCall call{};
        call.columns = columns;
        call.source_width = width(source);
        call.factor = layer.factor;
        call.source_pixel = value(source).pixel;
        call.pixel = value(v).pixel;
        call.channels = value(v).blocks > 1 ? kBlock : value(v).pixel;
        call.blocks = value(v).blocks;
        call.source_block = workspace_.ring(source).block;
        call.target_block = workspace_.ring(v).block;
        call.how = layer.step == Step::bilinear  ? Enlargement::bilinear
                   : layer.step == Step::shuffle ? Enlargement::shuffle
                                                 : Enlargement::nearest;
        call.made = value(v).shape.channels;
        for (Index y = rows.begin; y < rows.end; ++y) {
            Index above = y / layer.factor;
            call.row = static_cast<int>(y % layer.factor);
            if (call.how == Enlargement::bilinear) {
                const float wanted = (static_cast<float>(y % layer.factor) + 0.5f) /
                                         static_cast<float>(layer.factor) -
                                     0.5f;
                above -= wanted < 0.0f ? 1 : 0;
                call.weight = wanted < 0.0f ? wanted + 1.0f : wanted;
                call.sources[1] = source_at(source, std::min(above + 1, last), 0);
            }
            call.sources[0] = source_at(source, std::max<Index>(above, 0), 0);
            call.target = target_at(v, y, 0);
            kernels_.resize(call);
        }
    }

    void store(std::size_t v, Span rows, Span columns) {
        const Index scale = value(v).shape.scale;
        const Index begin = std::max(rows.begin, box_.rows.begin * scale);
        const Index end = std::min(rows.end, box_.rows.end * scale);
        columns.begin = std::max(columns.begin, box_.columns.begin * scale);
        columns.end = std::min(columns.end, box_.columns.end * scale);
        if (columns.size() <= 0) return;
        for (Index y = begin; y < end; ++y) {
            StoreCall call{job_.out,
                           job_.peak,
                           model_.shuffle(),
                           y,
                           columns,
                           source_at(v, y, columns.begin),
                           value(v).pixel,
                           workspace_.ring(v).block,
                           0,
                           0.0f,
                           job_.colour};
            if (job_.second != nullptr) {
                call.peak = job_.out_peak;
                call.added = job_.grey;
                if (!kernels_.store(call)) finite_ = false;
                call.frame = *job_.second;
                call.first = 1;
            }
            if (!kernels_.store(call)) finite_ = false;
        }
    }

    /// Makes zeros, or what stands for them, of what is read beside the frame.
    void clear_outside(std::size_t v, Index y) const {
        const Span columns = all_columns(v);
        const Ring& ring = workspace_.ring(v);
        const Span held{columns.begin - ring.margin, columns.end + kTile + 1};
        clear(v, y, {std::max<Index>(held.begin, -kTile), std::min<Index>(held.end, 0)});
        const Index right = width(v);
        clear(v, y, {std::max(held.begin, right), std::min(held.end, right + kTile + 1)});
    }

    void clear(std::size_t v, Index y, Span columns) const {
        if (columns.size() <= 0) return;
        const std::size_t bytes =
            static_cast<std::size_t>(columns.size() * value(v).pixel) * sizeof(float);
        float* const first = target_at(v, y, columns.begin);
        for (int b = 0; b < value(v).blocks; ++b) {
            std::memset(first + b * workspace_.ring(v).block, value(v).shape.quantisation.zero,
                        bytes);
        }
    }

    /// Calls copy(row, saved, bytes) for each block's columns from `x` on that strips share.
    template <class Copy>
    void share(std::size_t v, Index y, Index x, Copy copy) const {
        const Ring& ring = workspace_.ring(v);
        const Index each = value(v).reach * value(v).pixel;
        if (each == 0) return;
        const std::size_t bytes = static_cast<std::size_t>(each) * sizeof(float);
        float* const row = target_at(v, y, x);
        float* const saved = ring.saved + (y - first_rows_[v]) * each * value(v).blocks;
        for (Index b = 0; b < value(v).blocks; ++b) {
            copy(row + b * ring.block, saved + b * each, bytes);
        }
    }

    void save(std::size_t v, Index y) const {
        share(v, y, all_columns(v).end - value(v).reach,
              [](float* row, float* saved, std::size_t bytes) { std::memcpy(saved, row, bytes); });
    }

    void restore(std::size_t v, Index y) const {
        share(v, y, all_columns(v).begin - value(v).reach,
              [](float* row, float* saved, std::size_t bytes) { std::memcpy(row, saved, bytes); });
    }

    const Model& model_;
    const Job& job_;
    const Box& box_;
    Steps down_;
    Steps across_;
    Strips strips_;
    Workspace& workspace_;
    const Kernels& kernels_;
    std::vector<Index> first_rows_;
    Index strip_ = 0;
    bool finite_ = true;
};

}  // namespace

bool run_box(const Model& model, const Job& job, const Box& box, Workspace& workspace) {
    return Band(model, job, box, workspace).run();
}

}  // namespace rrt::nn
