#include "nn/run.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "cpu/pool.h"

namespace rrt::nn {
namespace {

// A band makes some rows of the one above it again: below this that is most of its work.
constexpr Index kFewestRows = 16;

struct Run {
    const Model& model;
    const Job& job;
    Strips strips;
    Index bands;
    int threads;
    std::atomic<bool> finite{true};
    std::atomic<bool> exhausted{false};

    void work(int thread) {
        const Index height = job.frame.height;
        try {
            std::unique_ptr<Workspace> workspace = model.take_workspace();
            for (Index band = thread; band < bands; band += threads) {
                const Span rows{height * band / bands, height * (band + 1) / bands};
                if (!run_band(model, job, strips, rows, *workspace)) finite = false;
            }
            model.give_back(std::move(workspace));
        } catch (const std::bad_alloc&) {
            exhausted = true;
        }
    }
};

}  // namespace

bool run(const Model& model, const Job& job, int threads, Index band_rows) {
    const Index height = job.frame.height;
    const Index wanted = band_rows > 0 ? (height + band_rows - 1) / band_rows
                                       : std::min<Index>(threads, height / kFewestRows);
    const Index bands = std::max<Index>(wanted, 1);
    const int used = static_cast<int>(std::min<Index>(threads, bands));
    Run run{model, job, divide(model, job.frame.width), bands, used};
    cpu::run_bands(
        used, [](void* context, int thread) { static_cast<Run*>(context)->work(thread); }, &run);
    if (run.exhausted) throw std::bad_alloc();
    return run.finite;
}

}  // namespace rrt::nn
