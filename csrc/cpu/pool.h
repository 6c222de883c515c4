// The threads that kernels run on.
#pragma once

namespace rrt::cpu {

/// Calls work(context, i) once for each i in 0..bands-1, on the calling thread and on up to
/// bands - 1 others, and returns when all have ended. `work` must not throw.
///
/// The others are kept for later calls and sleep meanwhile. Calls from several threads at once
/// share them. After a fork the child starts its own; at exit they are joined, and a call that
/// comes later still runs everything on the calling thread.
void run_bands(int bands, void (*work)(void* context, int band), void* context);

}  // namespace rrt::cpu
