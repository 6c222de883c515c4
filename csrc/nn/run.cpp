#include "nn/run.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "cpu/kernels.h"
#include "cpu/pool.h"

namespace rrt::nn {
namespace {

/// How the rows of a box are divided. But for the first, a band makes rows above its own again, and
/// but for the last some below: where each thread has one band, heights make up for that.
struct Bands {
    Index height;
    Index count;
    Index above = 0;
    Index below = 0;
    // Boundaries lie so many rows above whole tiles.
    Index lag = 0;
    Index step = 1;

    Index boundary(Index band) const {
        if (band == 0 || band == count) return band == 0 ? 0 : height;
        const Index work = height + (count - 1) * (above + below);
        const Index even = work * band / count - below * band - above * (band - 1);
        return std::max<Index>((even + lag) / step * step - lag, 0);
    }
    Span operator[](Index band) const { return {boundary(band), boundary(band + 1)}; }
};

/// One band for each thread, or fewer: no more than half of the work is to be done twice.
///
/// Smaller bands, for whichever thread is free, would cost too much. Over undivided work, counted
/// in multiply-adds, 2, 4 and 8 bands make for video-x2 (8 layers) 4, 11 and 26% more at 360 rows
/// and 2, 6 and 13% at 720; for photo-x2 (17 layers) 8, 25 and 57%, and 4, 12 and 29%.
Bands divide_rows(const Model& model, Index height, int threads) {
    Index delay = 0;
    for (const Value& value : model.values()) {
        const Index scale = value.shape.scale;
        delay = std::max(delay, (value.delay + scale - 1) / scale);
    }
    // A layer begins a tile above its reader, but for the last two; and ends its delay below. Of
    // all layers the mean is half.
    const Index above = kTile * std::max<Index>(delay - 2, 0) / 2;
    const Index below = delay / 2;
    const Index most = 1 + std::max<Index>(height - 1, 0) / (2 * (above + below) + kTile);
    return {height, std::min<Index>(threads, most), above, below, delay, kTile};
}

struct Run {
    const Model& model;
    const Job& job;
    const std::vector<UpsampleJob>& chroma;
    const Parts& parts;
    std::vector<Box> boxes;  // those of the parts, in bands
    int threads = 1;
    std::atomic<bool> finite{true};
    std::atomic<bool> exhausted{false};

    void work(int thread) {
        try {
            std::unique_ptr<Workspace> workspace = model.take_workspace();
            for (std::size_t i = static_cast<std::size_t>(thread); i < boxes.size();
                 i += static_cast<std::size_t>(threads)) {
                if (!run_box(model, job, boxes[i], *workspace)) finite = false;
            }
            model.give_back(std::move(workspace));
        } catch (const std::bad_alloc&) {
            exhausted = true;
        }
        for (std::size_t p = 0; p < chroma.size(); ++p) {
            for (const Span& rows : parts.chroma[p]) {
                const Index begin = rows.begin + rows.size() * thread / threads;
                const Index end = rows.begin + rows.size() * (thread + 1) / threads;
                if (begin < end) cpu::kernels().upsample(chroma[p], {begin, end});
            }
        }
    }
};

}  // namespace

Parts whole_of(const Model& model, const Job& job, const std::vector<UpsampleJob>& chroma) {
    Parts parts;
    parts.boxes.push_back(
        {{0, model.blocks_of(job.frame.height)}, {0, model.blocks_of(job.frame.width)}});
    for (const UpsampleJob& plane : chroma) parts.chroma.push_back({{0, plane.target.height}});
    return parts;
}

bool run(const Model& model, const Job& job, int threads, Index band_rows,
         const std::vector<UpsampleJob>& chroma, const Parts& parts) {
    Run run{model, job, chroma, parts, {}};
    for (const Box& box : parts.boxes) {
        const Index height = box.rows.size();
        const Bands bands = band_rows > 0 ? Bands{height, (height + band_rows - 1) / band_rows}
                                          : divide_rows(model, height, threads);
        for (Index band = 0; band < bands.count; ++band) {
            const Span rows = bands[band];
            const Index top = box.rows.begin;
            if (rows.size() > 0) {
                run.boxes.push_back({{top + rows.begin, top + rows.end}, box.columns});
            }
        }
    }
    run.threads = std::clamp(static_cast<int>(run.boxes.size()), 1, threads);
    cpu::run_bands(
        run.threads, [](void* context, int thread) { static_cast<Run*>(context)->work(thread); },
        &run);
    if (run.exhausted) throw std::bad_alloc();
    return run.finite;
}

}  // namespace rrt::nn
