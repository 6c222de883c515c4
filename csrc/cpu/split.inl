// Frame to tiles: pad, convert, normalise, interleaved to planar, in one pass.
namespace rrt::cpu::RRT_ISA {
namespace {

inline void write_run(float* target, const float* source, Index n) {
    for (Index i = 0; i < n; ++i) target[i] = source[i];
}

inline void write_run(std::uint16_t* target, const float* source, Index n) {
    floats_to_halves(target, source, n);
}

template <class S, class R>
void fill_run(R* target, const S* source, std::ptrdiff_t column, Index n, float peak) {
    if constexpr (sizeof(R) == sizeof(float)) {
        normalise(target, source, column, n, peak);
    } else {
        float scratch[kChunk];
        for (Index i = 0; i < n; i += kChunk) {
            const Index size = smaller(kChunk, n - i);
            normalise(scratch, source + i * column, column, size, peak);
            write_run(target + i, scratch, size);
        }
    }
}

template <class S, class R>
void split_as(const SplitJob& job, Span band) {
    const FrameView& frame = job.frame;
    const TilesView& tiles = job.tiles;
    const Axis& across = job.grid.x;
    for (Index unit = band.begin; unit < band.end; ++unit) {
        const Index slot = unit / tiles.height;
        const Index y = unit % tiles.height;
        const Index tile = job.first + slot;
        const Index row = job.grid.y.source(job.grid.y.start(tile / across.count) + y);
        const Span inside = across.inside(tile % across.count);
        for (int c = 0; c < tiles.channels; ++c) {
            const S* const source =
                static_cast<const S*>(frame.data) + row * frame.row + c * frame.channel;
            R* const target = static_cast<R*>(tiles.data) + tiles.offset(slot, c, y);
            fill_run<S, R>(target, source + inside.begin * frame.column, frame.column,
                           inside.size(), job.peak);
            for (Index x = inside.size(); x < tiles.width; ++x) {
                const Index from = across.source(inside.begin + x);
                const float value = static_cast<float>(source[from * frame.column]) / job.peak;
                write_run(target + x, &value, 1);
            }
        }
    }
}

template <class S>
void split_from(const SplitJob& job, Span band) {
    if (job.tiles.real == Real::f32) return split_as<S, float>(job, band);
    return split_as<S, std::uint16_t>(job, band);
}

void split(const SplitJob& job, Span band) {
    if (job.frame.sample == Sample::u8) return split_from<std::uint8_t>(job, band);
    if (job.frame.sample == Sample::u16) return split_from<std::uint16_t>(job, band);
    return split_from<float>(job, band);
}

}  // namespace
}  // namespace rrt::cpu::RRT_ISA
