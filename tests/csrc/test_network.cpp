// Networks on frames in buffers of the exact size, so that a read or write beyond them is seen, and
// descriptions that are wrong. What networks should compute is tested from Python.
#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "check.h"
#include "cpu/kernels.h"
#include "cpu/run.h"
#include "nn/changes.h"
#include "nn/run.h"

namespace {

using rrt::FrameView;
using rrt::Index;
using rrt::Sample;
using rrt::nn::Activation;
using rrt::nn::Algorithm;
using rrt::nn::Algorithms;
using rrt::nn::Description;
using rrt::nn::Layer;
using rrt::nn::Model;
using rrt::nn::Shape;
using rrt::nn::Step;

std::mt19937 random_bits(11);

float random_float(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random_bits);
}

int random_int(int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random_bits);
}

Layer convolution(int source, int inputs, int outputs, int taps) {
    Layer layer;
    layer.source = source;
    layer.outputs = outputs;
    layer.taps = taps;
    const float reach = 1.0f / std::sqrt(static_cast<float>(inputs * taps * taps));
    for (int i = 0; i < outputs * inputs * taps * taps; ++i) {
        layer.weights.push_back(random_float(-reach, reach));
    }
    for (int i = 0; i < outputs; ++i) layer.bias.push_back(random_float(-0.1f, 0.1f));
    return layer;
}

/// Convolutions, a residual over some of them, an enlargement, an output of few channels.
Description network(int channels, int width, int shuffle, bool enlarges) {
    Description made;
    made.channels = channels;
    made.shuffle = shuffle;
    made.layers.push_back(convolution(0, channels, width, 3));
    made.layers.back().activation = Activation::relu;
    made.layers.push_back(convolution(1, width, width, 3));
    made.layers.back().activation = Activation::leaky;
    made.layers.back().slopes.assign(static_cast<std::size_t>(width), 0.1f);
    made.layers.push_back(convolution(2, width, width, 1));
    made.layers.back().residual = 1;
    if (enlarges) {
        Layer layer;
        layer.step = Step::bilinear;
        layer.source = 3;
        layer.factor = 2;
        made.layers.push_back(layer);
    }
    const int source = static_cast<int>(made.layers.size());
    const int outputs = channels * shuffle * shuffle;
    made.layers.push_back(convolution(source, width, outputs, 3));
    return made;
}

/// From coarse to fine: channels of the pixels of blocks, shuffled, and added to the frame's own.
Description block_network(int channels, int width, int unshuffle, int shuffle) {
    Description made;
    made.channels = channels;
    made.unshuffle = unshuffle;
    made.shuffle = shuffle;
    const int each = unshuffle * unshuffle;
    Layer step;
    step.step = Step::frame;
    step.factor = unshuffle;
    made.layers.push_back(step);
    made.layers.push_back(convolution(0, channels * each, width * each, 3));
    made.layers.back().activation = Activation::relu;
    step.step = Step::shuffle;
    step.source = 2;
    made.layers.push_back(step);
    made.layers.push_back(convolution(1, channels, width, 3));
    made.layers.back().residual = 3;
    made.layers.push_back(convolution(4, width, channels * shuffle * shuffle, 3));
    return made;
}

/// Layers of bytes, whose sums end as bytes and as floats, with what stands between.
Description int8_network(int channels, int width, int shuffle) {
    Description made;
    made.channels = channels;
    made.shuffle = shuffle;
    Layer step;
    step.step = Step::quantise;
    step.result = {0.01f, random_int(0, 255)};
    made.layers.push_back(step);
    step.step = Step::dequantise;
    step.source = 1;
    step.result = {};
    made.layers.push_back(step);
    for (const int source : {1, 3, 4}) {
        const bool last = source == 4;
        const int inputs = source == 1 ? channels : width;
        const int outputs = last ? channels * shuffle * shuffle : width;
        Layer layer = convolution(source, inputs, outputs, source == 3 ? 1 : 3);
        for (float& weight : layer.weights) weight = static_cast<float>(random_int(-128, 127));
        layer.scales.assign(static_cast<std::size_t>(outputs), 0.001f);
        layer.bytes = !last;
        if (!last) layer.result = {0.02f, random_int(0, 255)};
        if (last && (channels == 1 || shuffle == 1)) layer.residual = 2;
        made.layers.push_back(layer);
    }
    return made;
}

std::vector<float> random_frame(Index size) {
    std::vector<float> frame;
    for (Index i = 0; i < size; ++i) frame.push_back(random_float(0.0f, 1.0f));
    frame.shrink_to_fit();
    return frame;
}

FrameView view_of(std::vector<float>& samples, Index height, Index width, int channels) {
    return {samples.data(), Sample::f32, height, width, channels, width * channels, channels, 1};
}

void compare(const std::vector<float>& a, const std::vector<float>& b, float most) {
    float off = 0.0f;
    for (std::size_t i = 0; i < a.size(); ++i) off = std::max(off, std::abs(a[i] - b[i]));
    CHECK(off <= most);
}

/// Whatever comes out, and where scales are absurd that may be infinite.
void runs_anywhere(const Description& description, const std::vector<Shape>& shapes, Index height,
                   Index width) {
    for (const rrt::cpu::Kernels* candidate : rrt::cpu::available_kernels()) {
        CHECK(rrt::cpu::select_kernels(candidate->name));
        const Algorithms available = available_algorithms(rrt::nn::kernels(), false);
        const Model model(description, shapes, available);
        const Index scale = model.scale();
        std::vector<float> frame = random_frame(height * width * description.channels);
        std::vector<float> out(static_cast<std::size_t>(height * width * scale * scale) *
                               static_cast<std::size_t>(model.colours()));
        const rrt::nn::Job job{view_of(out, height * scale, width * scale, model.colours()),
                               view_of(frame, height, width, description.channels), 1.0f};
        run(model, job, 2, 3);
    }
}

/// A frame that differs from one with a known result: what changed, and the rest of that result,
/// are the result of the whole.
void changes_alone(const Model& model, const std::vector<float>& before,
                   const std::vector<float>& known, Index height, Index width) {
    std::vector<float> frame = before;
    for (int i = random_int(0, 2); i > 0; --i) {
        frame[static_cast<std::size_t>(random_int(0, static_cast<int>(frame.size()) - 1))] = 0.5f;
    }
    std::vector<float> old = before;
    const FrameView now = view_of(frame, height, width, model.channels());
    const std::vector<rrt::nn::Pair> pairs{
        {now, view_of(old, height, width, model.channels()), model.unshuffle()}};
    const rrt::nn::Parts parts{find_changes(model, model.blocks_of(height), model.blocks_of(width),
                                            pairs, model.unshuffle() > 1 ? 1 : 0),
                               {}};
    const Index scale = model.scale();
    std::vector<float> part = known;
    std::vector<float> whole(known.size());
    const FrameView out = view_of(part, height * scale, width * scale, model.colours());
    const FrameView all = view_of(whole, height * scale, width * scale, model.colours());
    CHECK(run(model, {out, now, 1.0f}, 3, 0, {}, parts));
    CHECK(run(model, {all, now, 1.0f}, 1, 0));
    CHECK(part == whole);
}

/// Each algorithm wherever it can, for any threads and bands; the precise ones must agree closely.
void same_everywhere(const Description& description, Index height, Index width) {
    std::vector<Shape> shapes;
    CHECK(find_fault(description, shapes).empty());
    std::vector<float> frame = random_frame(height * width * description.channels);
    std::vector<float> portable;
    for (const rrt::cpu::Kernels* candidate : rrt::cpu::available_kernels()) {
        CHECK(rrt::cpu::select_kernels(candidate->name));
        const Algorithms precise = available_algorithms(rrt::nn::kernels(), false);
        const Algorithms available = available_algorithms(rrt::nn::kernels(), true);
        for (const Algorithm algorithm : rrt::nn::kAlgorithms) {
            if (!available.has(algorithm)) continue;
            const Model model(description, shapes, Algorithms().add(algorithm));
            const Index scale = model.scale();
            std::vector<float> expected;
            for (const Index band : {Index{0}, Index{1}, Index{7}}) {
                const Index pixels = height * scale * width * scale;
                std::vector<float> out(static_cast<std::size_t>(pixels * model.colours()));
                const rrt::nn::Job job{view_of(out, height * scale, width * scale, model.colours()),
                                       view_of(frame, height, width, description.channels), 1.0f};
                CHECK(run(model, job, 3, band));
                if (expected.empty()) expected = out;
                CHECK(out == expected);
            }
            changes_alone(model, frame, expected, height, width);
            if (portable.empty()) portable = expected;
            compare(expected, portable, precise.has(algorithm) ? 3e-5f : 0.05f);
        }
    }
}

/// Numbers that a file could hold: each is refused with words, or runs.
void check_random_descriptions() {
    int runs = 0;
    for (int i = 0; i < 500; ++i) {
        const int channels = random_int(1, 4);
        Description description = i % 2 == 0 ? network(channels, 5, 1, random_int(0, 1) == 1)
                                             : block_network(channels, 5, 2, random_int(1, 2));
        Layer& layer = description.layers[static_cast<std::size_t>(
            random_int(0, static_cast<int>(description.layers.size()) - 1))];
        const Step steps[] = {Step::nearest, Step::bilinear, Step::shuffle, Step::frame};
        switch (random_int(0, 7)) {
            case 0:
                layer.source = random_int(-2, 6);
                break;
            case 1:
                layer.residual = random_int(-2, 6);
                break;
            case 2:
                layer.outputs = random_int(-1, 2000);
                break;
            case 3:
                layer.taps = random_int(0, 5);
                break;
            case 4:
                layer.weights.resize(static_cast<std::size_t>(random_int(0, 300)));
                break;
            case 5:
                layer.factor = random_int(0, 9);
                layer.step = steps[random_int(0, 3)];
                break;
            case 6:
                description.unshuffle = random_int(-1, 5);
                break;
            default:
                description.shuffle = random_int(-1, 9);
        }
        std::vector<Shape> shapes;
        if (!find_fault(description, shapes).empty()) continue;
        same_everywhere(description, random_int(1, 9), random_int(1, 30));
        ++runs;
    }
    CHECK(runs > 0);
}

void check_random_quantisations() {
    int runs = 0;
    for (int i = 0; i < 300; ++i) {
        Description description = int8_network(random_int(0, 1) == 1 ? 1 : 3, 5, 1);
        Layer& layer = description.layers[static_cast<std::size_t>(random_int(0, 4))];
        const float scales[] = {0.0f, -1.0f, 1e-40f, 1e-30f, 1.0f, 1e30f, INFINITY, NAN};
        switch (random_int(0, 7)) {
            case 0:
                layer.source = random_int(-2, 6);
                break;
            case 1:
                layer.residual = random_int(-2, 6);
                break;
            case 2:
                layer.scales.resize(static_cast<std::size_t>(random_int(0, 9)), 1.0f);
                break;
            case 3:
                layer.result = {scales[random_int(0, 7)], random_int(-2, 300)};
                break;
            case 4:
                layer.bytes = !layer.bytes;
                break;
            case 5:
                layer.step = static_cast<Step>(random_int(0, 6));
                break;
            case 6:
                if (!layer.weights.empty()) layer.weights[0] = 1000.0f * scales[random_int(0, 7)];
                break;
            default:
                if (!layer.scales.empty()) layer.scales[0] = scales[random_int(0, 7)];
        }
        std::vector<Shape> shapes;
        if (!find_fault(description, shapes).empty()) continue;
        runs_anywhere(description, shapes, random_int(1, 9), random_int(1, 30));
        ++runs;
    }
    CHECK(runs > 0);
}

void check_enlargement_with_residual() {
    Description description = network(1, 5, 1, true);
    std::vector<Shape> shapes;
    CHECK(find_fault(description, shapes).empty());
    for (const int residual : {0, 6}) {
        description.layers[3].residual = residual;
        CHECK(!find_fault(description, shapes).empty());
    }
}

void check_non_finite() {
    const Description description = network(1, 16, 2, false);
    std::vector<Shape> shapes;
    CHECK(find_fault(description, shapes).empty());
    const Model model(description, shapes, available_algorithms(rrt::nn::kernels(), false));
    std::vector<float> frame = random_frame(20 * 30);
    std::vector<float> out(4 * frame.size());
    const rrt::nn::Job job{view_of(out, 40, 60, 1), view_of(frame, 20, 30, 1), 1.0f};
    CHECK(run(model, job, 2, 0));
    frame[300] = std::nanf("");
    CHECK(!run(model, job, 2, 0));
    frame[300] = 0.5f;
    CHECK(run(model, job, 2, 0));
}

/// Planes of other heights than the frame, beside it.
void check_chroma() {
    const Description description = network(1, 16, 2, false);
    std::vector<Shape> shapes;
    CHECK(find_fault(description, shapes).empty());
    const Model model(description, shapes, available_algorithms(rrt::nn::kernels(), false));
    std::vector<float> frame = random_frame(101 * 30);
    std::vector<float> out(4 * frame.size());
    const rrt::nn::Job job{view_of(out, 202, 60, 1), view_of(frame, 101, 30, 1), 1.0f};
    std::vector<float> plane = random_frame(51 * 15);
    std::vector<float> enlarged(101 * 30);
    const rrt::UpsampleJob chroma{
        view_of(enlarged, 101, 30, 1), view_of(plane, 51, 15, 1), 2, 0.5, 0.25, 1.0f};
    rrt::cpu::upsample(chroma, 1);
    const std::vector<float> expected = enlarged;
    for (const int threads : {1, 3}) {
        for (const Index band : {Index{0}, Index{1}, Index{33}}) {
            enlarged.assign(enlarged.size(), -1.0f);
            CHECK(run(model, job, threads, band, {chroma}));
            CHECK(enlarged == expected);
        }
    }
}

/// Frames in colour through a network of luma.
void check_colour() {
    const Index height = 33;
    const Index width = 300;
    for (const bool enlarges : {false, true}) {
        const Description description = network(1, 16, 2, enlarges);
        std::vector<Shape> shapes;
        CHECK(find_fault(description, shapes).empty());
        // Narrow strips.
        const Model model(description, shapes, available_algorithms(rrt::nn::kernels(), false), 1);
        const int scale = static_cast<int>(model.scale());
        std::vector<float> frame = random_frame(height * width * 3);
        std::vector<float> out(frame.size() * static_cast<std::size_t>(scale * scale));
        const rrt::ColourJob colour =
            rrt::make_colour_job(view_of(out, height * scale, width * scale, 3),
                                 view_of(frame, height, width, 3), scale, 1.0f);
        rrt::nn::Job job{colour.target, colour.source, 1.0f};
        job.colour = &colour;
        std::vector<float> expected;
        for (const int threads : {1, 3}) {
            for (const Index band : {Index{0}, Index{1}, Index{33}}) {
                out.assign(out.size(), -1.0f);
                CHECK(run(model, job, threads, band));
                if (expected.empty()) expected = out;
                CHECK(out == expected);
            }
        }
        // A part of it, and nothing beside that.
        const rrt::nn::Box box{{5, 22}, {3, 211}};
        out.assign(out.size(), -1.0f);
        CHECK(run(model, job, 3, 0, {}, {{box}, {}}));
        for (Index i = 0; i < height * scale * width * scale * 3; ++i) {
            const Index y = i / (width * scale * 3) / scale;
            const Index x = i / 3 % (width * scale) / scale;
            const bool inside = y >= box.rows.begin && y < box.rows.end && x >= box.columns.begin &&
                                x < box.columns.end;
            const std::size_t at = static_cast<std::size_t>(i);
            CHECK(out[at] == (inside ? expected[at] : -1.0f));
        }
    }
}

}  // namespace

void test_network() {
    for (const int channels : {1, 3, 4}) {
        for (const int width : {4, 16, 35}) {
            for (const int shuffle : {1, 2, 3}) {
                same_everywhere(network(channels, width, shuffle, shuffle == 2), 21, 67);
                same_everywhere(int8_network(channels, width, shuffle), 21, 67);
            }
        }
    }
    for (const int width : {3, 16}) {
        same_everywhere(block_network(1, width, 4, 2), 21, 67);
        same_everywhere(block_network(3, width, 2, 1), 2, 1501);
        same_everywhere(block_network(4, width, 2, 3), 1, 1);
    }
    same_everywhere(network(1, 16, 2, false), 1, 1);
    same_everywhere(network(1, 16, 2, false), 3, 1500);
    same_everywhere(network(1, 16, 2, true), 70, 2);
    same_everywhere(int8_network(1, 16, 2), 3, 1500);
    check_random_descriptions();
    check_random_quantisations();
    check_enlargement_with_residual();
    check_non_finite();
    check_chroma();
    check_colour();
}
