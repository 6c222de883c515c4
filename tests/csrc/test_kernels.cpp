// Every instruction set, and the GPU's kernels compiled for the host, against the portable kernels,
// bit for bit, in buffers of the exact size so that a read or write beyond them is seen. What the
// kernels should compute is tested from Python.
#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "check.h"
#include "cpu/kernels.h"
#include "cpu/run.h"
#include "cuda/run.h"

namespace {

using rrt::FrameView;
using rrt::Grid;
using rrt::Index;
using rrt::Real;
using rrt::Sample;
using rrt::TilesView;

using Bytes = std::vector<unsigned char>;

std::mt19937 random_bits(7);

Index size_of(Sample sample) { return sample == Sample::u8 ? 1 : sample == Sample::u16 ? 2 : 4; }

/// Finite floats, or any integers.
Bytes random_samples(Index count, Sample sample) {
    Bytes bytes(static_cast<std::size_t>(count * size_of(sample)));
    if (sample == Sample::f32) {
        std::uniform_real_distribution<float> values(-0.2f, 1.2f);
        for (Index i = 0; i < count; ++i) {
            const float value = values(random_bits);
            std::memcpy(bytes.data() + 4 * i, &value, 4);
        }
    } else {
        for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random_bits());
    }
    return bytes;
}

struct Frame {
    Bytes bytes;
    FrameView view;
};

/// Interleaved, planar, interleaved and bottom up, or with the channels in reverse.
Frame make_frame(Index height, Index width, int channels, Sample sample, int layout) {
    Frame frame{random_samples(height * width * channels, sample), {}};
    FrameView& v = frame.view;
    v = {frame.bytes.data(), sample, height, width, channels, width * channels, channels, 1};
    if (layout == 1) {
        v.row = width;
        v.column = 1;
        v.channel = height * width;
    } else if (layout == 2) {
        v.data = frame.bytes.data() + (height - 1) * width * channels * size_of(sample);
        v.row = -v.row;
    } else if (layout == 3) {
        v.data = frame.bytes.data() + (channels - 1) * size_of(sample);
        v.channel = -1;
    }
    return frame;
}

struct Tiles {
    Bytes bytes;
    TilesView view;
};

Tiles make_tiles(const Grid& grid, int channels, Real real, Index scale) {
    const Index height = grid.y.spec.tile * scale;
    const Index width = grid.x.spec.tile * scale;
    const Index count = grid.count() * channels * height * width;
    Tiles tiles{random_samples(count, Sample::f32), {}};
    if (real == Real::f16) {
        // Any pattern with the top exponent bit clear is a finite half.
        tiles.bytes.resize(static_cast<std::size_t>(2 * count));
        for (Index i = 0; i < count; ++i) tiles.bytes[2 * i + 1] &= 0xbf;
    }
    tiles.bytes.shrink_to_fit();
    tiles.view = {tiles.bytes.data(), real, grid.count(), channels, height, width};
    return tiles;
}

Grid make_grid(Index height, Index width, Index tile_height, Index tile_width, Index scale) {
    const rrt::AxisSpec y{height, tile_height, 4, 1, 2, scale, 2};
    const rrt::AxisSpec x{width, tile_width, 4, 1, 2, scale, 2};
    CHECK(check_axis(y) == rrt::Fault::none && check_axis(x) == rrt::Fault::none);
    return {rrt::make_axis(y), rrt::make_axis(x)};
}

constexpr rrt::cuda::Stream kStream = 1;

/// Runs `operation` with every instruction set, and returns `output`, which all must fill alike.
template <class Operation>
Bytes same_on_cpus(Bytes& output, Operation operation) {
    Bytes expected;
    for (const rrt::cpu::Kernels* candidate : rrt::cpu::available_kernels()) {
        std::fill(output.begin(), output.end(), static_cast<unsigned char>(0xa5));
        CHECK(rrt::cpu::select_kernels(candidate->name));
        operation();
        if (expected.empty()) expected = output;
        CHECK(output == expected);
    }
    return expected;
}

/// The same of `on_gpu`, too.
template <class Operation, class OnGpu>
void same_everywhere(Bytes& output, Operation operation, OnGpu on_gpu) {
    const Bytes expected = same_on_cpus(output, operation);
    std::fill(output.begin(), output.end(), static_cast<unsigned char>(0xa5));
    on_gpu();
    CHECK(output == expected);
}

constexpr Sample kSamples[] = {Sample::u8, Sample::u16, Sample::f32};
constexpr Real kReals[] = {Real::f32, Real::f16};

float peak_of(Sample sample) {
    return sample == Sample::u8 ? 255.0f : sample == Sample::u16 ? 65535.0f : 1.0f;
}

void split_and_merge(const Grid& grid, int channels, Sample sample, Real real, int layout) {
    const Index scale = grid.y.spec.scale;
    Frame input = make_frame(grid.y.spec.length, grid.x.spec.length, channels, sample, layout);
    Tiles tiles = make_tiles(grid, channels, real, 1);
    const rrt::SplitJob split{grid, input.view, tiles.view, 0, peak_of(sample)};
    same_everywhere(
        tiles.bytes, [&] { rrt::cpu::split(split, 3); },
        [&] { rrt::cuda::split(split, {}, kStream); });
    Tiles outputs = make_tiles(grid, channels, real, scale);
    Frame frame =
        make_frame(grid.y.output_length(), grid.x.output_length(), channels, sample, layout);
    const rrt::MergeJob merge{
        grid, frame.view, outputs.view, {0, frame.view.height}, peak_of(sample)};
    std::uint32_t flag = 0;
    same_everywhere(
        frame.bytes, [&] { CHECK(rrt::cpu::merge(merge, 3)); },
        [&] { rrt::cuda::merge(merge, {0, grid.y.count}, {}, &flag, kStream); });
    CHECK(flag == 0);
}

void upsample(Index height, Index width, int scale, Sample sample, Index crop) {
    Frame source = make_frame(height, width, 1, sample, 0);
    Frame target = make_frame(height * scale - crop, width * scale - crop, 1, sample, 0);
    const rrt::UpsampleJob job{target.view, source.view, scale, 0.5, 0.25, peak_of(sample)};
    same_everywhere(
        target.bytes, [&] { rrt::cpu::upsample(job, 3); },
        [&] { rrt::cuda::upsample(job, kStream); });
}

void colour(Index height, Index width, int scale, Sample sample, int layout) {
    Frame source = make_frame(height, width, 3, sample, layout);
    Bytes small = random_samples(height * width, Sample::f32);
    const rrt::LumaJob luma{reinterpret_cast<float*>(small.data()), source.view, peak_of(sample)};
    same_on_cpus(small, [&] { rrt::cpu::luma(luma, 3); });
    Bytes large = random_samples(height * scale * width * scale, Sample::f32);
    Frame target = make_frame(height * scale, width * scale, 3, sample, layout);
    const rrt::ColourJob job =
        rrt::make_colour_job(target.view, source.view, scale, peak_of(sample));
    same_on_cpus(target.bytes, [&] {
        CHECK(rrt::cpu::colour(job, reinterpret_cast<const float*>(large.data()), 3));
    });
}

void check_refusal_of_unknown_names() {
    const rrt::cpu::Kernels& before = rrt::cpu::kernels();
    CHECK(!rrt::cpu::select_kernels("sse9"));
    CHECK(&rrt::cpu::kernels() == &before);
}

void check_non_finite(Real real) {
    const Grid grid = make_grid(40, 50, 16, 16, 1);
    Tiles tiles = make_tiles(grid, 1, real, 1);
    Frame frame = make_frame(40, 50, 1, Sample::u8, 0);
    const rrt::MergeJob job{grid, frame.view, tiles.view, {0, 40}, 255.0f};
    for (const rrt::cpu::Kernels* candidate : rrt::cpu::available_kernels()) {
        CHECK(rrt::cpu::select_kernels(candidate->name));
        CHECK(rrt::cpu::merge(job, 1));
        unsigned char* const sample = tiles.bytes.data() + 18 * (real == Real::f32 ? 4 : 2);
        unsigned char before[4];
        std::memcpy(before, sample, 4);
        if (real == Real::f32) {
            const float nan = std::numeric_limits<float>::quiet_NaN();
            std::memcpy(sample, &nan, 4);
        } else {
            sample[1] = 0x7c;  // the top exponent: infinity or NaN
        }
        CHECK(!rrt::cpu::merge(job, 1));
        std::memcpy(sample, before, 4);
    }
}

}  // namespace

void test_kernels() {
    const Grid grids[] = {
        make_grid(37, 53, 16, 20, 2),
        make_grid(5, 3, 12, 8, 3),
        make_grid(19, 1100, 12, 600, 1),
    };
    for (const Grid& grid : grids) {
        for (const int channels : {1, 3, 4}) {
            for (const Sample sample : kSamples) {
                for (const Real real : kReals) {
                    for (int layout = 0; layout < 3; ++layout) {
                        split_and_merge(grid, channels, sample, real, layout);
                    }
                }
            }
        }
    }
    for (const Sample sample : kSamples) {
        for (int scale = 1; scale <= 8; ++scale) {
            for (const Index crop : {0, scale - 1}) {
                upsample(1, 1, scale, sample, crop);
                upsample(7, 13, scale, sample, crop);
                upsample(3, 1030, scale, sample, crop);
            }
        }
    }
    for (const Sample sample : kSamples) {
        for (const int scale : {1, 2, 3, 4, 5, 16}) {
            for (int layout = 0; layout < 4; ++layout) {
                colour(1, 1, scale, sample, layout);
                colour(7, 13, scale, sample, layout);
                colour(3, 530, scale, sample, layout);
            }
        }
    }
    for (const Real real : kReals) check_non_finite(real);
    check_refusal_of_unknown_names();
}
