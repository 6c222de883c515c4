#include <cstdint>
#include <vector>

#include "check.h"
#include "cpu/fill.h"

namespace {

using rrt::FrameView;
using rrt::Index;
using rrt::Sample;

template <class T>
FrameView view(std::vector<T>& data, Sample sample, Index height, Index width, int channels) {
    return {data.data(), sample, height, width, channels, width * channels, channels, 1};
}

/// Holes in a pattern that leaves the first pixel, and every seventh after it.
std::vector<std::uint8_t> pattern(Index height, Index width) {
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(height * width), 1);
    for (std::size_t i = 0; i < mask.size(); i += 7) mask[i] = 0;
    return mask;
}

/// What is filled lies within what is known, which stays; the threads change nothing.
void test_size(Index height, Index width) {
    std::vector<std::uint8_t> mask = pattern(height, width);
    std::vector<std::uint8_t> frames[2];
    for (int threads = 1; threads <= 2; ++threads) {
        std::vector<std::uint8_t>& frame = frames[threads - 1];
        for (std::size_t i = 0; i < mask.size() * 3; ++i) {
            const bool known = mask[i / 3] == 0;
            frame.push_back(known ? static_cast<std::uint8_t>(100 + i % 50) : 7);
        }
        const std::vector<std::uint8_t> before = frame;
        rrt::cpu::fill_holes({view(frame, Sample::u8, height, width, 3),
                              view(mask, Sample::u8, height, width, 1), 2},
                             threads);
        for (std::size_t i = 0; i < frame.size(); ++i) {
            CHECK(frame[i] >= 100 && frame[i] < 150);
            if (mask[i / 3] == 0) CHECK(frame[i] == before[i]);
        }
    }
    CHECK(frames[0] == frames[1]);
}

void test_depth() {
    std::vector<std::uint8_t> mask(5 * 7, 1);
    std::vector<std::uint8_t> depth(mask.size());
    mask[0] = mask[2 * 7 + 6] = 0;
    rrt::cpu::hole_depth(depth.data(), view(mask, Sample::u8, 5, 7, 1));
    const std::uint8_t expected[] = {0, 1, 2, 3, 2, 2, 2,  //
                                     1, 1, 2, 3, 2, 1, 1,  //
                                     2, 2, 2, 3, 2, 1, 0,  //
                                     3, 3, 3, 3, 2, 1, 1,  //
                                     4, 4, 4, 3, 2, 2, 2};
    for (std::size_t i = 0; i < depth.size(); ++i) CHECK(depth[i] == expected[i]);
}

void test_halves() {
    // Of the four blocks one is known in part, one not at all; the right ones are cut.
    std::vector<float> frame{1, 9, 4, 9, 9, 6, 9, 9, 8};
    std::vector<std::uint8_t> mask{0, 1, 0, 1, 1, 0, 1, 1, 0};
    std::vector<float> half(4, -1.0f);
    std::vector<std::uint8_t> half_mask(4, 7);
    const FrameView small = view(half, Sample::f32, 2, 2, 1);
    rrt::cpu::halve(small, view(half_mask, Sample::u8, 2, 2, 1),
                    {view(frame, Sample::f32, 3, 3, 1), view(mask, Sample::u8, 3, 3, 1), 0});
    CHECK((half == std::vector<float>{1, 5, 0, 8}));
    CHECK((half_mask == std::vector<std::uint8_t>{0, 0, 255, 0}));

    // Half of the way at depth 3, all of it at 4, with a radius of 2.
    std::vector<float> filled(9, 0.0f);
    std::vector<float> flat(4, 1.0f);
    std::vector<std::uint8_t> depth{0, 1, 2, 3, 4, 5, 2, 3, 9};
    rrt::cpu::blend_half(view(filled, Sample::f32, 3, 3, 1), view(flat, Sample::f32, 2, 2, 1),
                         view(depth, Sample::u8, 3, 3, 1), 2);
    CHECK((filled == std::vector<float>{0, 0, 0, 0.5f, 1, 1, 0, 0.5f, 1}));
}

}  // namespace

void test_fill() {
    for (const Index height : {1, 2, 3, 8, 17}) {
        for (const Index width : {1, 2, 5, 16, 33}) test_size(height, width);
    }
    test_depth();
    test_halves();
}
