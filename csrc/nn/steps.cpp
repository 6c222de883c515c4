#include "nn/steps.h"

#include <algorithm>

namespace rrt::nn {
namespace {

Index floor_divide(Index a, Index b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

void need(std::vector<Index>& first, int v, Index pixel) {
    Index& known = first[static_cast<std::size_t>(v)];
    known = std::min(known, pixel);
}

}  // namespace

Steps find_steps(const Model& model, Span wanted, Index length) {
    const std::vector<Value>& values = model.values();
    const std::size_t last = values.size() - 1;
    // So far, the first pixel that is read.
    std::vector<Index> first;
    for (const Value& value : values) first.push_back(length * value.shape.scale);
    const Index scale = values[last].shape.scale;
    first[last] = wanted.begin * scale;
    Steps steps;
    steps.begins.assign(last + 1, 0);
    for (std::size_t v = last + 1; v-- > 0;) {
        const Value& value = values[v];
        const Index pixel = std::max<Index>(first[v], 0);
        steps.begins[v] = floor_divide(pixel + value.delay, kTile * value.shape.scale);
        if (v == 0) break;
        const Layer& layer = model.layers()[v - 1];
        const Index made = pixels_of(value, steps.begins[v]).begin;
        need(first, layer.source, source_row(layer, made) - reach_of(layer));
        if (layer.residual >= 0) need(first, layer.residual, made);
    }
    steps.first = *std::min_element(steps.begins.begin(), steps.begins.end());
    steps.end = floor_divide(wanted.end * scale - 1 + values[last].delay, kTile * scale) + 1;
    return steps;
}

}  // namespace rrt::nn
