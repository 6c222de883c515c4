// The CPU kernels, compiled once for each instruction set, and which of them is in use.
#pragma once

#include <string>
#include <vector>

#include "core/jobs.h"

namespace rrt::cpu {

/// One instruction set's kernels; `band` is a range of the job's units, for one thread.
struct Kernels {
    const char* name;
    void (*split)(const SplitJob& job, Span band);
    bool (*merge)(const MergeJob& job, Span band);  // false: NaN or infinity was read
    void (*upsample)(const UpsampleJob& job, Span band);
    void (*chroma_inputs)(const ChromaJob& job, Span band);
    void (*luma)(const LumaJob& job, Span band);
    bool (*colour)(const ColourJob& job, const float* luma, Span band);  // false: as merge
};

extern const Kernels kPortable;
#ifdef __x86_64__
extern const Kernels kAvx2;
extern const Kernels kAvx512;
#endif
#ifdef __aarch64__
extern const Kernels kNeon;
#endif

/// What this CPU can run, the best last.
std::vector<const Kernels*> available_kernels();

const Kernels& kernels();

/// The names that select_kernels takes here: each set, and those of x86 also without what newer
/// CPUs add to them (VNNI, bf16, AMX), as in "avx2-only".
std::vector<std::string> isa_names();

/// The name of what is in use.
std::string isa_name();

/// Whether the additions may be used, where the CPU has them.
bool uses_additions();

/// False, and nothing changes, if this CPU does not have it.
bool select_kernels(const std::string& name);

}  // namespace rrt::cpu
