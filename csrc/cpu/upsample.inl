// Bicubic enlargement of a plane by a whole number, for subsampled chroma.
namespace rrt::cpu::RRT_ISA {
namespace {

template <class S>
void upsample_row(const UpsampleJob& job, const Taps* across, const S* const rows[4],
                  const Taps& down, S* target) {
    constexpr Index margin = 2;
    const FrameView& source = job.source;
    const Index scale = job.scale;
    for (Index begin = 0; begin < source.width; begin += kChunk) {
        const Index n = smaller(kChunk, source.width - begin);
        // line[i] is column begin - margin + i, the frame's edges repeated.
        float line[kChunk + 2 * margin];
        const Index first = clamp_index(begin - margin, source.width);
        const Index last = clamp_index(begin + n - 1 + margin, source.width);
        const S* shifted[4];
        for (int k = 0; k < 4; ++k) shifted[k] = rows[k] + first * source.column;
        const Index lead = first - (begin - margin);
        const Index length = last - first + 1;
        weigh_rows(line + lead, shifted, source.column, length, down);
        for (Index i = 0; i < lead; ++i) line[i] = line[lead];
        for (Index i = lead + length; i < n + 2 * margin; ++i) line[i] = line[lead + length - 1];

        S samples[2][kChunk];
        Index done = 0;
        if (scale == 2 && job.target.column == 1 && 2 * (begin + n) <= job.target.width) {
            for (int r = 0; r < 2; ++r) {
                weigh_line(samples[r], line + margin + across[r].first, n, across[r], job.peak);
            }
            interleave<S, 2>(target + 2 * begin, samples, n);
            done = scale;
        }
        for (Index r = done; r < scale; ++r) {
            weigh_line(samples[0], line + margin + across[r].first, n, across[r], job.peak);
            for (Index i = 0; i < n; ++i) {
                const Index at = (begin + i) * scale + r;
                if (at < job.target.width) target[at * job.target.column] = samples[0][i];
            }
        }
    }
}

template <class S>
void upsample_as(const UpsampleJob& job, Span band) {
    const FrameView& source = job.source;
    const FrameView& target = job.target;
    Taps across[kMaxUpsample];
    for (int r = 0; r < job.scale; ++r) across[r] = taps_at(r, job.scale, job.phase_x);
    for (Index y = band.begin; y < band.end; ++y) {
        S* const target_row = static_cast<S*>(target.data) + y * target.row;
        const S* const origin = static_cast<const S*>(source.data);
        if (job.scale == 1) {
            for (Index x = 0; x < target.width; ++x) {
                target_row[x * target.column] = origin[y * source.row + x * source.column];
            }
            continue;
        }
        const Taps down = taps_at(static_cast<int>(y % job.scale), job.scale, job.phase_y);
        const S* rows[4];
        for (int k = 0; k < 4; ++k) {
            rows[k] =
                origin + clamp_index(y / job.scale + down.first + k, source.height) * source.row;
        }
        upsample_row<S>(job, across, rows, down, target_row);
    }
}

void upsample(const UpsampleJob& job, Span band) {
    if (job.source.sample == Sample::u8) return upsample_as<std::uint8_t>(job, band);
    if (job.source.sample == Sample::u16) return upsample_as<std::uint16_t>(job, band);
    return upsample_as<float>(job, band);
}

}  // namespace
}  // namespace rrt::cpu::RRT_ISA
