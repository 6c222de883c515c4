#include "cuda/dispatch.h"
#include "cuda/launch.h"
#include "cuda/run.h"
#include "cuda/split.h"

namespace rrt::cuda {

void split(const SplitJob& job, const Levels& levels, Stream stream) {
    with_sample(job.frame.sample, [&](auto sample) {
        with_real(job.tiles.real, [&](auto real) {
            with_channels(job.frame.channels, [&](auto channels) {
                using Work = SplitWork<typename decltype(sample)::type,
                                       typename decltype(real)::type, decltype(channels)::number>;
                const Index groups = (job.tiles.width + Work::kPixels - 1) / Work::kPixels;
                launch(Work{job, levels, extent_of(job.frame)},
                       {job.tiles.count, job.tiles.height, groups}, stream);
            });
        });
    });
}

}  // namespace rrt::cuda
