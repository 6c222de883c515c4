#include "cpu/fill.h"

#include <algorithm>
#include <vector>

#include "core/samples.h"
#include "cpu/pool.h"

namespace rrt::cpu {
namespace {

/// Pixels of a hole side by side.
struct Run {
    Index y;
    Index begin;
    Index end;
};

struct Level {
    Index height;
    Index width;
    std::vector<std::uint8_t> known;
    std::vector<Run> holes;

    Index size() const { return height * width; }
};

void find_holes(Level& level) {
    for (Index y = 0; y < level.height; ++y) {
        const std::uint8_t* const begin = level.known.data() + y * level.width;
        const std::uint8_t* const end = begin + level.width;
        for (const std::uint8_t* at = begin;;) {
            at = std::find(at, end, 0);
            if (at == end) break;
            const std::uint8_t* const after = std::find(at, end, 1);
            level.holes.push_back({y, at - begin, after - begin});
            at = after;
        }
    }
}

Level finest(const FrameView& mask) {
    Level level{mask.height, mask.width, {}, {}};
    level.known.resize(static_cast<std::size_t>(level.size()));
    const auto* const origin = static_cast<const std::uint8_t*>(mask.data);
    std::uint8_t* known = level.known.data();
    for (Index y = 0; y < level.height; ++y) {
        for (Index x = 0; x < level.width; ++x) {
            *known++ = origin[y * mask.row + x * mask.column] == 0;
        }
    }
    find_holes(level);
    return level;
}

/// A pixel of the next level is known where one of its four is.
Level coarser(const Level& fine) {
    Level level{(fine.height + 1) / 2, (fine.width + 1) / 2, {}, {}};
    level.known.resize(static_cast<std::size_t>(level.size()));
    std::uint8_t* known = level.known.data();
    for (Index y = 0; y < level.height; ++y) {
        const std::uint8_t* const above = fine.known.data() + 2 * y * fine.width;
        const std::uint8_t* const below = 2 * y + 1 < fine.height ? above + fine.width : above;
        for (Index x = 0; x < level.width; ++x) {
            const Index left = 2 * x;
            const Index right = std::min(left + 1, fine.width - 1);
            *known++ = above[left] | above[right] | below[left] | below[right];
        }
    }
    find_holes(level);
    return level;
}

/// From the frame's size to the first level without holes.
std::vector<Level> pyramid(const FrameView& mask) {
    std::vector<Level> levels{finest(mask)};
    while (!levels.back().holes.empty() && levels.back().size() > 1) {
        levels.push_back(coarser(levels.back()));
    }
    return levels;
}

template <class S>
S sample_of(float value) {
    if constexpr (sizeof(S) == sizeof(float)) {
        return value;
    } else {
        return quantise<S>(value, sizeof(S) == 1 ? 255.0f : 65535.0f);
    }
}

/// Calls work with a value of the frame's type of samples.
template <class Work>
void for_sample(Sample sample, Work work) {
    switch (sample) {
        case Sample::u8:
            return work(std::uint8_t{});
        case Sample::u16:
            return work(std::uint16_t{});
        case Sample::f32:
            return work(float{});
    }
}

template <class S>
void read_plane(float* plane, const FillJob& job, const Level& level, int channel) {
    const FrameView& frame = job.frame;
    const S* const origin = static_cast<const S*>(frame.data) + channel * frame.channel;
    const std::uint8_t* known = level.known.data();
    for (Index y = 0; y < level.height; ++y) {
        const S* const row = origin + y * frame.row;
        for (Index x = 0; x < level.width; ++x) {
            // Not multiplied: what lies under a hole may be NaN.
            *plane++ = *known++ ? static_cast<float>(row[x * frame.column]) : 0.0f;
        }
    }
}

template <class S>
void write_holes(const FillJob& job, const Level& level, const float* plane, int channel) {
    const FrameView& frame = job.frame;
    S* const origin = static_cast<S*>(frame.data) + channel * frame.channel;
    for (const Run& run : level.holes) {
        S* const row = origin + run.y * frame.row;
        const float* const values = plane + run.y * level.width;
        for (Index x = run.begin; x < run.end; ++x) {
            row[x * frame.column] = sample_of<S>(values[x]);
        }
    }
}

/// The mean of the known pixels among each four; 0 where there is none.
void pull(float* target, const Level& coarse, const float* source, const Level& fine) {
    for (Index y = 0; y < coarse.height; ++y) {
        const bool has_below = 2 * y + 1 < fine.height;
        const float* const above = source + 2 * y * fine.width;
        const float* const below = has_below ? above + fine.width : above;
        const std::uint8_t* const known_above = fine.known.data() + 2 * y * fine.width;
        const std::uint8_t* const known_below = known_above + (has_below ? fine.width : 0);
        for (Index x = 0; x < coarse.width; ++x) {
            // Beyond an edge the last pixel counts twice, which leaves the mean of two as it is.
            const Index left = 2 * x;
            const Index right = std::min(left + 1, fine.width - 1);
            const float sum = (above[left] + above[right]) + (below[left] + below[right]);
            const int count =
                (known_above[left] + known_above[right]) + (known_below[left] + known_below[right]);
            *target++ = sum / static_cast<float>(std::max(count, 1));
        }
    }
}

/// Of a pixel's four on the next level, which lie on the centres of its own: the nearest is i / 2,
/// and this is the other one along an axis.
Index beside(Index i, Index length) {
    return std::clamp<Index>(i % 2 ? i / 2 + 1 : i / 2 - 1, 0, length - 1);
}

/// Between the nearest and the other one.
float between(float nearest, float other) { return 0.75f * nearest + 0.25f * other; }

/// Fills the holes bilinearly from the next level.
void push(float* target, const Level& fine, const float* source, const Level& coarse) {
    for (const Run& run : fine.holes) {
        const float* const near = source + run.y / 2 * coarse.width;
        const float* const far = source + beside(run.y, coarse.height) * coarse.width;
        float* const row = target + run.y * fine.width;
        for (Index x = run.begin; x < run.end; ++x) {
            const Index other = beside(x, coarse.width);
            row[x] = between(between(near[x / 2], near[other]), between(far[x / 2], far[other]));
        }
    }
}

/// Puts the mean of its neighbours into each pixel of a run; `step` is 1 or -1.
void relax(float* plane, const Level& level, const Run& run, Index step) {
    float* const row = plane + run.y * level.width;
    const float* const above = run.y > 0 ? row - level.width : nullptr;
    const float* const below = run.y + 1 < level.height ? row + level.width : nullptr;
    const Index first = step > 0 ? run.begin : run.end - 1;
    for (Index n = run.end - run.begin, x = first; n > 0; --n, x += step) {
        if (above && below && x > 0 && x + 1 < level.width) {
            row[x] = ((row[x - 1] + row[x + 1]) + (above[x] + below[x])) * 0.25f;
            continue;
        }
        float sum = 0.0f;
        float count = 0.0f;
        const auto add = [&](bool exists, const float* value) {
            if (exists) {
                sum += *value;
                count += 1.0f;
            }
        };
        add(x > 0, row + x - 1);
        add(x + 1 < level.width, row + x + 1);
        add(above, above + x);
        add(below, below + x);
        if (count > 0.0f) row[x] = sum / count;
    }
}

void sweep(float* plane, const Level& level, int sweeps) {
    for (int i = 0; i < sweeps; ++i) {
        for (auto run = level.holes.begin(); run != level.holes.end(); ++run) {
            relax(plane, level, *run, 1);
        }
        for (auto run = level.holes.rbegin(); run != level.holes.rend(); ++run) {
            relax(plane, level, *run, -1);
        }
    }
}

/// One channel; `planes` has room for all levels.
template <class S>
void fill_channel(const FillJob& job, const std::vector<Level>& levels, float* planes,
                  int channel) {
    read_plane<S>(planes, job, levels[0], channel);
    float* plane = planes;
    for (std::size_t i = 1; i < levels.size(); ++i) {
        float* const next = plane + levels[i - 1].size();
        pull(next, levels[i], plane, levels[i - 1]);
        plane = next;
    }
    for (std::size_t i = levels.size() - 1; i-- > 0;) {
        float* const finer = plane - levels[i].size();
        push(finer, levels[i], plane, levels[i + 1]);
        sweep(finer, levels[i], job.sweeps);
        plane = finer;
    }
    write_holes<S>(job, levels[0], planes, channel);
}

template <class S>
void halve_as(const FrameView& small, const FrameView& small_mask, const FillJob& job) {
    const FrameView& frame = job.frame;
    const auto* const mask = static_cast<const std::uint8_t*>(job.mask.data);
    for (Index y = 0; y < small.height; ++y) {
        const Index ys[2] = {2 * y, std::min(2 * y + 1, frame.height - 1)};
        for (Index x = 0; x < small.width; ++x) {
            const Index xs[2] = {2 * x, std::min(2 * x + 1, frame.width - 1)};
            std::ptrdiff_t known[4];
            int count = 0;
            // Beyond an edge the last pixel counts twice, which leaves the mean of two as it is.
            for (const Index row : ys) {
                for (const Index column : xs) {
                    if (mask[row * job.mask.row + column * job.mask.column] == 0) {
                        known[count++] = row * frame.row + column * frame.column;
                    }
                }
            }
            for (int channel = 0; channel < frame.channels; ++channel) {
                const S* const source = static_cast<const S*>(frame.data) + channel * frame.channel;
                float sum = 0.0f;
                for (int i = 0; i < count; ++i) sum += static_cast<float>(source[known[i]]);
                S* const target = static_cast<S*>(small.data) + channel * small.channel;
                target[y * small.row + x * small.column] =
                    sample_of<S>(sum / static_cast<float>(std::max(count, 1)));
            }
            auto* const target = static_cast<std::uint8_t*>(small_mask.data);
            target[y * small_mask.row + x * small_mask.column] = count == 0 ? 255 : 0;
        }
    }
}

template <class S>
void blend_half_as(const FrameView& frame, const FrameView& half, const FrameView& depth,
                   int radius) {
    const auto* const depths = static_cast<const std::uint8_t*>(depth.data);
    for (Index y = 0; y < frame.height; ++y) {
        for (Index x = 0; x < frame.width; ++x) {
            const int beyond = depths[y * depth.row + x * depth.column] - radius;
            if (beyond <= 0) continue;
            const float weight =
                beyond < radius ? static_cast<float>(beyond) / static_cast<float>(radius) : 1.0f;
            const std::ptrdiff_t near = y / 2 * half.row;
            const std::ptrdiff_t far = beside(y, half.height) * half.row;
            const std::ptrdiff_t nearest = x / 2 * half.column;
            const std::ptrdiff_t other = beside(x, half.width) * half.column;
            for (int channel = 0; channel < frame.channels; ++channel) {
                const S* const source = static_cast<const S*>(half.data) + channel * half.channel;
                const auto at = [&](std::ptrdiff_t place) {
                    return static_cast<float>(source[place]);
                };
                const float value = between(between(at(near + nearest), at(near + other)),
                                            between(at(far + nearest), at(far + other)));
                S& pixel = static_cast<S*>(
                    frame.data)[y * frame.row + x * frame.column + channel * frame.channel];
                const float before = static_cast<float>(pixel);
                pixel = sample_of<S>(before + weight * (value - before));
            }
        }
    }
}

}  // namespace

void fill_holes(const FillJob& job, int threads) {
    const std::vector<Level> levels = pyramid(job.mask);
    if (levels[0].holes.empty()) return;
    Index size = 0;
    for (const Level& level : levels) size += level.size();
    struct Context {
        const FillJob& job;
        const std::vector<Level>& levels;
        std::vector<std::vector<float>> planes;
    };
    // Allocated here: the work on other threads must not throw.
    const int bands = std::min(threads, job.frame.channels);
    Context context{job, levels, {}};
    for (int i = 0; i < bands; ++i) context.planes.emplace_back(static_cast<std::size_t>(size));
    run_bands(
        bands,
        [](void* opaque, int band) {
            Context& c = *static_cast<Context*>(opaque);
            const int step = static_cast<int>(c.planes.size());
            float* const planes = c.planes[static_cast<std::size_t>(band)].data();
            for (int channel = band; channel < c.job.frame.channels; channel += step) {
                for_sample(c.job.frame.sample, [&](auto sample) {
                    fill_channel<decltype(sample)>(c.job, c.levels, planes, channel);
                });
            }
        },
        &context);
}

void hole_depth(std::uint8_t* depth, const FrameView& mask) {
    const Index height = mask.height;
    const Index width = mask.width;
    const auto* const origin = static_cast<const std::uint8_t*>(mask.data);
    // Two passes, each of which looks at the four neighbours that it has been at.
    const auto nearest = [&](Index x, const std::uint8_t* row, Index side,
                             const std::uint8_t* other) {
        int least = 255;
        if (side >= 0 && side < width) least = row[side];
        if (other) {
            for (Index i = std::max<Index>(x - 1, 0); i <= std::min(x + 1, width - 1); ++i) {
                least = std::min<int>(least, other[i]);
            }
        }
        return std::min(least + 1, 255);
    };
    for (Index y = 0; y < height; ++y) {
        std::uint8_t* const row = depth + y * width;
        const std::uint8_t* const above = y > 0 ? row - width : nullptr;
        for (Index x = 0; x < width; ++x) {
            const bool hole = origin[y * mask.row + x * mask.column] != 0;
            row[x] = hole ? static_cast<std::uint8_t>(nearest(x, row, x - 1, above)) : 0;
        }
    }
    for (Index y = height; y-- > 0;) {
        std::uint8_t* const row = depth + y * width;
        const std::uint8_t* const below = y + 1 < height ? row + width : nullptr;
        for (Index x = width; x-- > 0;) {
            if (row[x] == 0) continue;
            row[x] =
                static_cast<std::uint8_t>(std::min<int>(row[x], nearest(x, row, x + 1, below)));
        }
    }
}

void halve(const FrameView& small, const FrameView& small_mask, const FillJob& job) {
    for_sample(job.frame.sample,
               [&](auto sample) { halve_as<decltype(sample)>(small, small_mask, job); });
}

void blend_half(const FrameView& frame, const FrameView& half, const FrameView& depth, int radius) {
    for_sample(frame.sample,
               [&](auto sample) { blend_half_as<decltype(sample)>(frame, half, depth, radius); });
}

}  // namespace rrt::cpu
