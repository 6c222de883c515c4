// What cpu/colour.inl does, for luma that something else than our engine restores.
namespace rrt::cpu::RRT_ISA {
namespace {

void luma(const LumaJob& job, Span band) {
    const FrameView& frame = job.frame;
    for (Index y = band.begin; y < band.end; ++y) {
        float* const target = job.luma + y * frame.width;
        const Span columns{0, frame.width};
        if (frame.sample == Sample::u8) {
            luma_run<std::uint8_t>(target, frame, y, columns, job.peak);
        } else if (frame.sample == Sample::u16) {
            luma_run<std::uint16_t>(target, frame, y, columns, job.peak);
        } else {
            luma_run<float>(target, frame, y, columns, job.peak);
        }
    }
}

bool colour(const ColourJob& job, const float* luma, Span band) {
    Finite finite;
    const Span columns{0, job.target.width};
    for (Index y = band.begin; y < band.end; ++y) {
        const float* const row = luma + y * job.target.width;
        if (job.target.sample == Sample::u8) {
            colour_row<std::uint8_t>(job, y, columns, row, finite);
        } else if (job.target.sample == Sample::u16) {
            colour_row<std::uint16_t>(job, y, columns, row, finite);
        } else {
            colour_row<float>(job, y, columns, row, finite);
        }
    }
    return finite;
}

}  // namespace
}  // namespace rrt::cpu::RRT_ISA
