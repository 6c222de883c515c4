// The engine's kernels: some rows of one layer over a run of columns, for one instruction set each.
#pragma once

#include <cstdint>

#include "core/jobs.h"
#include "nn/quantisation.h"

namespace rrt::nn {

/// Channels lie in blocks of so many: pixel by pixel within a block, block after block in a row.
inline constexpr int kBlock = 16;
/// Winograd's tiles have 4 x 4 outputs and 6 x 6 points.
inline constexpr int kTile = 4;
inline constexpr int kPoints = 36;
/// Tiles that go through the products together, at most.
inline constexpr int kMaxGroup = 14;

/// Channels of a pixel that the tail makes, at most, and floats between its pixels.
inline constexpr int kTailPixel = 4;

/// direct_fp64 makes the convolutions of floats in a network of bytes. direct_vnni is direct_int8
/// where the CPU multiplies bytes in fours.
enum class Algorithm {
    direct,
    direct_fp64,
    tail,
    winograd,
    winograd_bf16,
    direct_amx,
    direct_int8,
    direct_vnni,
    quantise,
    dequantise
};

/// Whether roundings depend on where tiles of kTile pixels lie.
constexpr bool is_in_tiles(Algorithm algorithm) {
    return algorithm == Algorithm::tail || algorithm == Algorithm::winograd ||
           algorithm == Algorithm::winograd_bf16;
}

/// Whether it makes the convolutions of bytes, which no other can.
constexpr bool is_int8(Algorithm algorithm) {
    return algorithm == Algorithm::direct_int8 || algorithm == Algorithm::direct_vnni;
}

enum class Finish { none, relu, leaky, clip };

/// A convolution's weights as its algorithm wants them; see packing.h.
struct Filter {
    Algorithm algorithm;
    int taps;
    int inputs;
    int outputs;
    const float* weights;
    const float* bias;    // whole blocks
    const float* slopes;  // whole blocks
    Finish finish;
    float low;
    float high;
    // For direct_int8: one step of the sums in steps of the result, and where they start, bias
    // included. Whole blocks.
    const float* scales;
    const std::int32_t* starts;
    Quantisation source;
    Quantisation result;  // to which the sums are rounded, if any, before the residual
    bool bytes;           // whether the result is stored so

    constexpr int input_words() const { return (inputs + 3) / 4; }
    constexpr int input_blocks() const { return (inputs + kBlock - 1) / kBlock; }
    constexpr int output_blocks() const { return (outputs + kBlock - 1) / kBlock; }
};

/// kTile rows of a convolution. Row pointers name the first column's pixel; steps are in floats.
struct ConvCall {
    const Filter* filter;
    const float* sources[kTile + 2];  // from the row above the first
    float* targets[kTile];            // null where the row is not wanted
    const float* residuals[kTile];    // null if there is none
    Index columns;
    int source_pixel;
    int target_pixel;
    int residual_pixel;
    int residual_channels;
    Index source_block;
    Index target_block;
    Index residual_block;
    float* scratch;
};

enum class Enlargement { nearest, bilinear, shuffle };

/// One row of a value that is `factor` times as large as its source.
struct ResizeCall {
    const float* sources[2];  // of column 0; the second for bilinear alone
    float weight;             // of the second
    float* target;            // of column 0
    Span columns;             // of the target
    Index source_width;
    int factor;
    int source_pixel;
    int pixel;
    int channels;  // floats of a pixel to write
    int blocks;
    Index source_block;
    Index target_block;
    Enlargement how;
    int row;   // for shuffle, within the block
    int made;  // for shuffle, channels
};

struct LoadCall {
    FrameView frame;
    float peak;
    int unshuffle;
    int multiple;   // to which the frame's sides are filled up
    Index row;      // of the value
    Span columns;   // of the value
    float* target;  // interleaved; in blocks of channels if there is a multiple
    Index block;    // floats between those
    bool luma;      // of an RGB frame, in place of its channels
};

/// One row of a value to `shuffle` rows of the frame, as far as it has them.
struct StoreCall {
    FrameView frame;
    float peak;
    int shuffle;
    Index row;     // of the value
    Span columns;  // of the value
    const float* source;
    int pixel;
    Index block;
    int first;    // colour of the value, which is the frame's first
    float added;  // to each sample, over the peak
    // The value is the luma of this frame, which is enlarged beside it; or null.
    const ColourJob* colour;
};

/// Nanoseconds that the parts of a convolution take on a core of some 3 GHz, of use only to
/// compare; fitted to what benchmarks/plan.py measured.
struct Costs {
    float product;  // a multiply-add of vectors, or of tiles
    float input;    // for each pixel, a vector of inputs that is transformed or narrowed
    float output;   // for each pixel, a vector of outputs
};

struct Kernels {
    const char* name;
    int lanes;  // floats of a vector
    Costs direct_costs;
    Costs winograd_costs;
    void (*load)(const LoadCall& call);
    void (*direct)(const ConvCall& call);
    void (*direct_fp64)(const ConvCall& call);
    void (*tail)(const ConvCall& call);  // null where winograd does as well
    void (*winograd)(const ConvCall& call);
    void (*direct_int8)(const ConvCall& call);
    bool (*quantise)(const ConvCall& call);  // false: NaN or infinity
    void (*dequantise)(const ConvCall& call);
    void (*resize)(const ResizeCall& call);
    bool (*store)(const StoreCall& call);  // false: NaN or infinity
};

extern const Kernels kPortable;
#ifdef __x86_64__
extern const Kernels kAvx2;
extern const Kernels kAvx512;
void winograd_bf16(const ConvCall& call);
void direct_avx512_vnni(const ConvCall& call);
// gcc 10 does not know the instruction set.
#if defined(__clang__) || __GNUC__ > 10
#define RRT_AVX_VNNI
void direct_avx_vnni(const ConvCall& call);
#endif
void direct_amx(const ConvCall& call);
/// Whether this CPU and system let the process use AMX's tiles; to be asked before they are used.
bool allow_amx();
#endif
#ifdef __aarch64__
extern const Kernels kNeon;
#endif

/// Those of the instruction set that is in use on the CPU, see cpu/kernels.h.
const Kernels& kernels();

/// Whether winograd_bf16 can run beside kernels().
bool has_bf16();

/// What multiplies bytes in fours beside kernels(), or null.
using DirectInt8 = void (*)(const ConvCall& call);
DirectInt8 vnni();

/// Whether the products of bytes that this CPU has, whatever set is in use, saturate in 16 bits:
/// x86 without VNNI. ONNX Runtime uses them; the kernels here do not.
bool cpu_adds_bytes_in_16_bits();

/// Whether direct_amx can.
bool has_amx();

/// How direct_amx goes through a filter's inputs: steps of two blocks of one pixel, or where there
/// is one block alone of two neighbours; values of a pixel in 16 bits, `tile_inputs` of them.
constexpr int tile_inputs(const Filter& filter) {
    const int blocks = filter.input_blocks();
    return kBlock * (blocks == 1 ? 1 : (blocks + 1) / 2 * 2);
}

constexpr int tile_steps(int taps, int input_blocks) {
    return input_blocks == 1 ? (taps + 1) / 2 : (input_blocks + 1) / 2 * taps;
}

/// The first value that a step takes, from the leftmost tap's pixel on.
constexpr int tile_offset(const Filter& filter, int step) {
    if (filter.input_blocks() == 1) return 2 * kBlock * step;
    return step % filter.taps * tile_inputs(filter) + step / filter.taps * 2 * kBlock;
}

/// Floats of scratch that any of a filter's kernels needs.
constexpr Index scratch_floats(const Filter& filter) {
    return Index{kPoints} * kMaxGroup * kBlock * (filter.input_blocks() + 2);
}

}  // namespace rrt::nn
