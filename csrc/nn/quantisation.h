// How bytes stand for real numbers.
#pragma once

namespace rrt::nn {

/// A byte stands for (byte - zero) * scale; without a scale there are no bytes, but floats.
struct Quantisation {
    float scale = 0.0f;
    int zero = 0;

    constexpr explicit operator bool() const { return scale != 0.0f; }
};

}  // namespace rrt::nn
