// Tiles to frame: drop the halo, feather, clamp, round, planar to interleaved. It gathers: one
// pass, and one write to each output pixel.
namespace rrt::cpu::RRT_ISA {
namespace {

/// One output row: at most two rows of tiles make it.
struct RowSources {
    Index tile_row;  // the later of the two
    Index y;         // in that tile
    bool blends;     // with tile_row - 1
    Index earlier_y;
    float weight;
};

inline RowSources row_sources(const Axis& axis, Index pixel) {
    const Index i = axis.find(pixel);
    const Span ramp = axis.ramp(i);
    const bool blends = ramp.contains(pixel);
    const Index scale = axis.spec.scale;
    return {i, pixel - axis.start(i) * scale, blends,
            blends ? pixel - axis.start(i - 1) * scale : 0,
            blends ? ramp_weight(pixel - ramp.begin, ramp.size()) : 0.0f};
}

inline const float* read_run(const float* source, float*, Index) { return source; }

inline const float* read_run(const std::uint16_t* source, float* scratch, Index n) {
    halves_to_floats(scratch, source, n);
    return scratch;
}

inline void blend_runs(float* target, const float* earlier, const float* later, Index n,
                       float weight) {
    for (Index i = 0; i < n; ++i) target[i] = blend(earlier[i], later[i], weight);
}

/// A run [begin, begin + n) of output pixels in piece `column` of one row of tiles, one channel.
template <class R>
class Gather {
  public:
    Gather(const MergeJob& job, Index column, Span pixels)
        : job_(job),
          axis_(job.grid.x),
          column_(column),
          pixels_(pixels),
          ramp_(axis_.ramp(column)) {}

    const float* operator()(Index tile_row, Index y, int channel, float* scratch) const {
        const Index n = pixels_.size();
        float later_scratch[kChunk];
        if (!ramp_.contains(pixels_.begin)) {
            return read_run(source(tile_row, column_, y, channel), scratch, n);
        }
        float earlier_scratch[kChunk];
        const float* const later =
            read_run(source(tile_row, column_, y, channel), later_scratch, n);
        const float* const earlier =
            read_run(source(tile_row, column_ - 1, y, channel), earlier_scratch, n);
        for (Index i = 0; i < n; ++i) {
            const float weight = ramp_weight(pixels_.begin - ramp_.begin + i, ramp_.size());
            scratch[i] = blend(earlier[i], later[i], weight);
        }
        return scratch;
    }

  private:
    const R* source(Index tile_row, Index tile_column, Index y, int channel) const {
        const Index slot = (tile_row * axis_.count + tile_column) % job_.tiles.count;
        const Index x = pixels_.begin - axis_.start(tile_column) * axis_.spec.scale;
        return static_cast<const R*>(job_.tiles.data) + job_.tiles.offset(slot, channel, y) + x;
    }

    const MergeJob& job_;
    const Axis& axis_;
    Index column_;
    Span pixels_;
    Span ramp_;
};

template <class S, class R>
void merge_run(const MergeJob& job, const RowSources& row, Index column, Index pixel_row,
               Span pixels, Finite& finite) {
    const FrameView& frame = job.frame;
    const Index n = pixels.size();
    const Gather<R> gather(job, column, pixels);
    float scratch[kMaxChannels][kChunk];
    const float* runs[kMaxChannels];
    for (int c = 0; c < frame.channels; ++c) {
        runs[c] = gather(row.tile_row, row.y, c, scratch[c]);
        if (row.blends) {
            float earlier[kChunk];
            blend_runs(scratch[c], gather(row.tile_row - 1, row.earlier_y, c, earlier), runs[c], n,
                       row.weight);
            runs[c] = scratch[c];
        }
    }
    S* const target =
        static_cast<S*>(frame.data) + pixel_row * frame.row + pixels.begin * frame.column;
    store_pixels<S>(target, frame.column, frame.channel, frame.channels, runs, n, job.peak, finite);
}

template <class S, class R>
bool merge_as(const MergeJob& job, Span band) {
    const Axis& across = job.grid.x;
    Finite finite;
    for (Index y = band.begin; y < band.end; ++y) {
        const RowSources row = row_sources(job.grid.y, y);
        for (Index column = 0; column < across.count; ++column) {
            const Span piece = across.piece(column);
            const Index ramp_end = column == 0 ? piece.begin : across.ramp(column).end;
            for (Index x = piece.begin; x < piece.end;) {
                const Index limit = x < ramp_end ? ramp_end : piece.end;
                const Span pixels{x, smaller(limit, x + kChunk)};
                merge_run<S, R>(job, row, column, y, pixels, finite);
                x = pixels.end;
            }
        }
    }
    return finite;
}

template <class S>
bool merge_to(const MergeJob& job, Span band) {
    if (job.tiles.real == Real::f32) return merge_as<S, float>(job, band);
    return merge_as<S, std::uint16_t>(job, band);
}

bool merge(const MergeJob& job, Span band) {
    if (job.frame.sample == Sample::u8) return merge_to<std::uint8_t>(job, band);
    if (job.frame.sample == Sample::u16) return merge_to<std::uint16_t>(job, band);
    return merge_to<float>(job, band);
}

}  // namespace
}  // namespace rrt::cpu::RRT_ISA
