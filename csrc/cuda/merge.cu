#include "cuda/dispatch.h"
#include "cuda/launch.h"
#include "cuda/merge.h"
#include "cuda/run.h"

namespace rrt::cuda {
namespace {

/// Groups of so many pixels, which begin at multiples of that, that the widest piece lies in.
Index most_groups(const Axis& axis, Index pixels, Span pieces) {
    Index most = 0;
    for (Index i = pieces.begin; i < pieces.end; ++i) {
        const Span piece = axis.piece(i);
        const Index groups = (piece.end + pixels - 1) / pixels - piece.begin / pixels;
        most = groups > most ? groups : most;
    }
    return most;
}

}  // namespace

void merge(const MergeJob& job, Span tile_rows, const Levels& levels, std::uint32_t* flag,
           Stream stream) {
    const Index columns = job.grid.x.count;
    const Index rows = most_groups(job.grid.y, 1, tile_rows);
    with_sample(job.frame.sample, [&](auto sample) {
        with_real(job.tiles.real, [&](auto real) {
            with_channels(job.frame.channels, [&](auto channels) {
                using Work = MergeWork<typename decltype(sample)::type,
                                       typename decltype(real)::type, decltype(channels)::number>;
                const Index groups = most_groups(job.grid.x, Work::kPixels, {0, columns});
                launch(Work{job, levels, extent_of(job.tiles), tile_rows, flag},
                       {tile_rows.size() * columns, rows, groups}, stream);
            });
        });
    });
}

}  // namespace rrt::cuda
