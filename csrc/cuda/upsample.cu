#include "cuda/dispatch.h"
#include "cuda/launch.h"
#include "cuda/run.h"
#include "cuda/upsample.h"

namespace rrt::cuda {
namespace {

template <class S, int channels>
void upsample_as(const UpsampleJob& job, Stream stream) {
    using Work = UpsampleWork<S, channels>;
    Work work{job, {}, {}};
    for (int r = 0; r < job.scale; ++r) {
        work.down[r] = taps_at(r, job.scale, job.phase_y);
        work.across[r] = taps_at(r, job.scale, job.phase_x);
    }
    const Index groups = (job.source.width + Work::kColumns - 1) / Work::kColumns;
    launch(work, {1, job.target.height, groups}, stream);
}

}  // namespace

void upsample(const UpsampleJob& job, Stream stream) {
    with_sample(job.source.sample, [&](auto sample) {
        using S = typename decltype(sample)::type;
        if (job.source.channels == 1) return upsample_as<S, 1>(job, stream);
        upsample_as<S, 2>(job, stream);
    });
}

}  // namespace rrt::cuda
