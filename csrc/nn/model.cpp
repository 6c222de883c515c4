#include "nn/model.h"

#include <algorithm>
#include <utility>

#include "nn/workspace.h"

namespace rrt::nn {
namespace {

bool is_bf16(Algorithm algorithm) {
    return algorithm == Algorithm::winograd_bf16 || algorithm == Algorithm::direct_amx;
}

bool has_bytes(const std::vector<Shape>& shapes) {
    return std::any_of(shapes.begin(), shapes.end(),
                       [](const Shape& shape) { return static_cast<bool>(shape.quantisation); });
}

Algorithm choose(const Layer& layer, const Value& source, Algorithms allowed,
                 const Kernels& kernels, bool in_bytes) {
    if (layer.step == Step::quantise) return Algorithm::quantise;
    if (layer.step == Step::dequantise) return Algorithm::dequantise;
    if (!layer.scales.empty()) {
        const bool vnni = allowed.has(Algorithm::direct_vnni);
        return vnni ? Algorithm::direct_vnni : Algorithm::direct_int8;
    }
    const Work work{layer.taps, source.shape.channels, layer.outputs, source.pixel == kBlock};
    const Algorithm chosen = choose(work, allowed, kernels);
    return in_bytes && !is_bf16(chosen) ? Algorithm::direct_fp64 : chosen;
}

int pixel_of(const Shape& shape, Algorithm algorithm) {
    if (shape.quantisation) return shape.channels <= 4 ? 1 : kBlock / 4;
    if (algorithm == Algorithm::tail) return kTailPixel;
    // A frame's channels, from bytes and back.
    if (algorithm == Algorithm::dequantise && shape.channels <= 4) {
        return shape.channels == 1 ? 1 : 4;
    }
    return kBlock;
}

}  // namespace

Model::Model(Description description, const std::vector<Shape>& shapes, Algorithms allowed,
             Index ring_bytes)
    : description_(std::move(description)),
      kernels_(nn::kernels()),
      vnni_(nn::vnni()),
      ring_bytes_(ring_bytes) {
    const bool in_bytes = has_bytes(shapes);
    const int inputs = shapes[0].channels;
    values_.push_back({shapes[0], inputs, 1, 0, 0});
    if (unshuffle() > 1) {
        values_[0].pixel = kBlock;
        values_[0].blocks = (inputs + kBlock - 1) / kBlock;
    }
    for (std::size_t i = 0; i < layers().size(); ++i) {
        const Layer& layer = layers()[i];
        Value& source = values_[static_cast<std::size_t>(layer.source)];
        Value made{shapes[i + 1], kBlock, (shapes[i + 1].channels + kBlock - 1) / kBlock, 0, 0};
        made.delay = (source.delay + reach_of(layer)) * layer.factor;
        filters_.emplace_back();
        if (keeps_size(layer)) {
            const Algorithm algorithm = choose(layer, source, allowed, kernels_, in_bytes);
            made.pixel = pixel_of(made.shape, algorithm);
            filters_.back() = pack(layer, source.shape, algorithm);
        } else if (layer.step == Step::nearest || layer.step == Step::bilinear) {
            made.pixel = source.pixel;
            made.blocks = source.blocks;
        }
        if (layer.residual >= 0) {
            Value& residual = values_[static_cast<std::size_t>(layer.residual)];
            made.delay = std::max(made.delay, residual.delay);
            residual.reach = std::max(residual.reach, made.delay - residual.delay);
        }
        // What the first row of a step, at -delay, reads.
        const Index first = source_row(layer, -made.delay) - reach_of(layer);
        source.reach = std::max(source.reach, -source.delay - first);
        values_.push_back(made);
    }
}

Model::~Model() = default;

std::unique_ptr<Workspace> Model::take_workspace() const {
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            std::unique_ptr<Workspace> found = std::move(idle_.back());
            idle_.pop_back();
            return found;
        }
    }
    return std::make_unique<Workspace>();
}

void Model::give_back(std::unique_ptr<Workspace> workspace) const {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(workspace));
}

}  // namespace rrt::nn
