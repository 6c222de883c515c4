#include "cpu/run.h"

#include <algorithm>
#include <atomic>

#include "cpu/kernels.h"
#include "cpu/pool.h"

namespace rrt::cpu {
namespace {

// Below this many samples a thread, waking it costs more than it does.
constexpr Index kSamplesPerBand = 131072;

/// Calls kernel(band) for bands that cover `units`, each of which writes `samples` samples.
template <class Kernel>
void in_bands(Span units, Index samples, int threads, Kernel kernel) {
    if (units.size() <= 0) return;
    struct Context {
        Span units;
        Index bands;
        Kernel& kernel;
    };
    const Index worthwhile = units.size() * samples / kSamplesPerBand;
    const Index bands = std::clamp<Index>(worthwhile, 1, std::min<Index>(threads, units.size()));
    Context context{units, bands, kernel};
    run_bands(
        static_cast<int>(bands),
        [](void* opaque, int band) {
            const Context& c = *static_cast<const Context*>(opaque);
            const Index n = c.units.size();
            c.kernel(
                Span{c.units.begin + n * band / c.bands, c.units.begin + n * (band + 1) / c.bands});
        },
        &context);
}

}  // namespace

void split(const SplitJob& job, int threads) {
    const Kernels& chosen = kernels();
    in_bands({0, job.units()}, job.tiles.width * job.tiles.channels, threads,
             [&](Span band) { chosen.split(job, band); });
}

bool merge(const MergeJob& job, int threads) {
    const Kernels& chosen = kernels();
    std::atomic<bool> finite{true};
    in_bands(job.rows, job.frame.width * job.frame.channels, threads, [&](Span band) {
        if (!chosen.merge(job, band)) finite = false;
    });
    return finite;
}

void upsample(const UpsampleJob& job, int threads) {
    const Kernels& chosen = kernels();
    in_bands({0, job.target.height}, job.target.width, threads,
             [&](Span band) { chosen.upsample(job, band); });
}

void chroma_inputs(const ChromaJob& job, int threads) {
    const Kernels& chosen = kernels();
    in_bands({0, job.cb.height}, job.cb.width * kChromaInputs, threads,
             [&](Span band) { chosen.chroma_inputs(job, band); });
}

void luma(const LumaJob& job, int threads) {
    const Kernels& chosen = kernels();
    in_bands({0, job.frame.height}, job.frame.width, threads,
             [&](Span band) { chosen.luma(job, band); });
}

bool colour(const ColourJob& job, const float* luma, int threads) {
    const Kernels& chosen = kernels();
    std::atomic<bool> finite{true};
    in_bands({0, job.target.height}, job.target.width * 3, threads, [&](Span band) {
        if (!chosen.colour(job, luma, band)) finite = false;
    });
    return finite;
}

}  // namespace rrt::cpu
