// Tables worked out by hand; what can be is checked while compiling.
#include "check.h"
#include "core/geometry.h"

namespace {

using rrt::Axis;
using rrt::AxisSpec;
using rrt::Fault;
using rrt::Index;
using rrt::Span;

constexpr bool same(Span a, Span b) { return a.begin == b.begin && a.end == b.end; }

constexpr AxisSpec spec(Index length, Index tile, Index overlap, Index halo = 0, Index feather = 0,
                        Index scale = 1, Index multiple = 1) {
    return {length, tile, overlap, halo, feather, scale, multiple};
}

constexpr Axis axis(const AxisSpec& s) { return rrt::make_axis(s); }

// One tile, exact and padded.
static_assert(axis(spec(10, 10, 2)).count == 1);
static_assert(axis(spec(3, 10, 2)).count == 1);
static_assert(same(axis(spec(3, 10, 2)).inside(0), {0, 3}));
static_assert(same(axis(spec(3, 10, 2, 0, 0, 4)).piece(0), {0, 12}));

// 19 = 10 + 8 + 1: three tiles, whose room of 9 is spread as 4 and 5.
constexpr Axis kThree = axis(spec(19, 10, 2));
static_assert(kThree.count == 3);
static_assert(kThree.start(0) == 0 && kThree.start(1) == 4 && kThree.start(2) == 9);

// Rounding up to 28 pads the last tile by 3; starts are multiples of 4.
constexpr Axis kRounded = axis(spec(25, 12, 4, 0, 0, 1, 4));
static_assert(kRounded.padded == 28 && kRounded.count == 3);
static_assert(kRounded.start(1) == 8 && kRounded.start(2) == 16);
static_assert(same(kRounded.inside(2), {16, 25}));
static_assert(kRounded.source(24) == 24 && kRounded.source(25) == 23 && kRounded.source(27) == 21);

// Reflection needs a frame longer than the padding; else the edge repeats.
static_assert(axis(spec(4, 7, 0)).source(6) == 0);
static_assert(axis(spec(4, 8, 0)).source(4) == 3 && axis(spec(4, 8, 0)).source(7) == 3);
static_assert(axis(spec(1, 2, 0)).source(1) == 0);

// 19 in three tiles that share 2: (19 + 4) / 3, rounded up; two would need 11. 20 stays in two.
static_assert(rrt::least_tile(spec(1, 1, 2)) == 4);
static_assert(rrt::least_tile(spec(1, 1, 8, 0, 3, 1, 4)) == 24);
static_assert(rrt::fit_tile(spec(19, 10, 2), 1) == 8);
static_assert(rrt::fit_tile(spec(19, 10, 2), 32) == 10);
static_assert(rrt::fit_tile(spec(20, 14, 2), 1) == 11 && rrt::fit_tile(spec(20, 14, 2), 4) == 12);
static_assert(rrt::fit_tile(spec(9, 10, 2), 4) == 9);
static_assert(rrt::fit_tile(spec(9, 12, 4, 0, 0, 1, 4), 8) == 12);

// Tiles 0..9 and 8..17 share 8 and 9; the halo leaves nothing to feather: a cut at 9.
static_assert(same(axis(spec(18, 10, 2, 1)).ramp(1), {9, 9}));
// Without halo the ramp is all they share, in output pixels.
static_assert(same(axis(spec(18, 10, 2, 0, 2, 3)).ramp(1), {24, 30}));
// Tiles at 0 and 6 share 6..10: feather 1 is centred on 8, rounded down.
static_assert(same(axis(spec(16, 10, 4, 1, 1)).ramp(1), {7, 8}));
static_assert(same(axis(spec(16, 10, 4, 1, 1, 2)).ramp(1), {15, 17}));
static_assert(same(axis(spec(16, 10, 4, 1, 2)).ramp(1), {7, 9}));

// Tiles at 0, 4 and 9 share 4..10 and 9..14: ramps are centred on 7 and 11.5, rounded down.
constexpr Axis kPieces = axis(spec(19, 10, 2, 0, 2));
static_assert(same(kPieces.ramp(1), {6, 8}) && same(kPieces.ramp(2), {10, 12}));
static_assert(same(kPieces.piece(0), {0, 6}) && same(kPieces.piece(1), {6, 10}));
static_assert(same(kPieces.piece(2), {10, 19}));
static_assert(kPieces.find(0) == 0 && kPieces.find(5) == 0 && kPieces.find(6) == 1);
static_assert(kPieces.find(9) == 1 && kPieces.find(10) == 2 && kPieces.find(18) == 2);

static_assert(rrt::ramp_weight(0, 1) == 0.5f);
static_assert(rrt::ramp_weight(0, 4) == 0.125f && rrt::ramp_weight(3, 4) == 0.875f);
static_assert(rrt::blend(0.1f, 0.1f, 0.3f) == 0.1f);
static_assert(rrt::blend(1.0f, 3.0f, 0.25f) == 1.5f);

constexpr Index kHuge = Index{1} << 62;
static_assert(check_axis(spec(100, 32, 8, 2, 4)) == Fault::none);
static_assert(check_axis(spec(0, 32, 8)) == Fault::length);
static_assert(check_axis(spec(kHuge, 32, 8)) == Fault::length);
static_assert(check_axis(spec(100, 0, 0)) == Fault::tile);
static_assert(check_axis(spec(100, kHuge, 0)) == Fault::tile);
static_assert(check_axis(spec(100, 32, 8, 0, 0, 0)) == Fault::scale);
static_assert(check_axis(spec(100, 32, 8, 0, 0, kHuge)) == Fault::scale);
static_assert(check_axis(spec(100, 32, 8, 0, 0, 1, 0)) == Fault::multiple);
static_assert(check_axis(spec(100, 32, 8, 0, 0, 1, 5)) == Fault::multiple);
static_assert(check_axis(spec(100, 32, 32)) == Fault::overlap);
static_assert(check_axis(spec(100, 32, -1)) == Fault::overlap);
static_assert(check_axis(spec(100, 32, 6, 0, 0, 1, 4)) == Fault::overlap);
static_assert(check_axis(spec(100, 32, 8, 5)) == Fault::halo);
static_assert(check_axis(spec(100, 32, 8, kHuge)) == Fault::halo);
static_assert(check_axis(spec(100, 32, 8, 2, 5)) == Fault::feather);
static_assert(check_axis(spec(100, 32, 24, 0, 24)) == Fault::ramps_collide);
// Two tiles have one ramp, which has nothing to collide with.
static_assert(check_axis(spec(40, 32, 24, 0, 24)) == Fault::none);

/// Everything that a valid axis promises.
void check_promises(const AxisSpec& s) {
    const Axis a = rrt::make_axis(s);
    CHECK(a.start(0) == 0);
    Index covered = 0;
    for (Index i = 0; i < a.count; ++i) {
        CHECK(a.start(i) % s.multiple == 0);
        CHECK(a.inside(i).begin < a.inside(i).end);
        CHECK(a.piece(i).begin == covered && a.piece(i).size() > 0);
        CHECK(a.piece(i).contains(a.ramp(i).begin) || i == 0);
        CHECK(a.ramp(i).end <= a.piece(i).end);
        covered = a.piece(i).end;
        if (i > 0) {
            CHECK(a.start(i - 1) + s.tile - a.start(i) >= s.overlap);
            CHECK(a.ramp(i).begin >= s.scale * (a.start(i) + s.halo));
            CHECK(a.ramp(i).end <= s.scale * (a.start(i - 1) + s.tile - s.halo));
        }
        for (Index x = a.piece(i).begin; x < a.piece(i).end; ++x) CHECK(a.find(x) == i);
    }
    CHECK(covered == s.length * s.scale);
    const Index reach = a.start(a.count - 1) + s.tile;
    CHECK(a.count == 1 || reach == a.padded);
    for (Index x = 0; x < reach; ++x) CHECK(a.source(x) >= 0 && a.source(x) < s.length);
}

}  // namespace

void test_geometry() {
    int refused = 0;
    for (Index length = 1; length <= 40; ++length) {
        for (Index multiple = 1; multiple <= 4; multiple *= 2) {
            for (Index tile = multiple; tile <= 16; tile += multiple) {
                for (Index overlap = 0; overlap < tile; overlap += multiple) {
                    for (Index halo = 0; 2 * halo <= overlap; halo += 2) {
                        for (Index feather = 0; feather <= overlap - 2 * halo; feather += 3) {
                            const AxisSpec s = spec(length, tile, overlap, halo, feather,
                                                    1 + length % 3, multiple);
                            const Fault fault = check_axis(s);
                            if (fault == Fault::none) {
                                check_promises(s);
                            } else {
                                CHECK(fault == Fault::ramps_collide);
                                CHECK(feather > (tile - overlap) / 2);
                                ++refused;
                            }
                        }
                    }
                }
            }
        }
    }
    CHECK(refused > 0);
}
