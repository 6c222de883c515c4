#include "nn/packing.h"

#include <cmath>
#include <cstdint>

#include "core/samples.h"

namespace rrt::nn {
namespace {

std::size_t size(Index value) { return static_cast<std::size_t>(value); }

Index blocks_of(int channels) { return (channels + kBlock - 1) / kBlock; }

Buffer pack_direct(const Layer& layer, int inputs) {
    const int taps = layer.taps;
    Buffer packed(size(blocks_of(layer.outputs) * taps * inputs * taps * kBlock));
    for (Index o = 0; o < layer.outputs; ++o) {
        for (Index y = 0; y < taps; ++y) {
            for (Index i = 0; i < inputs; ++i) {
                for (Index x = 0; x < taps; ++x) {
                    const Index to = (((o / kBlock * taps + y) * inputs + i) * taps + x) * kBlock;
                    packed.data()[to + o % kBlock] =
                        layer.weights[size(((o * inputs + i) * taps + y) * taps + x)];
                }
            }
        }
    }
    return packed;
}

/// The six points of three taps, as winograd_transforms.inl has them.
void to_points(const double taps[3], double points[6]) {
    const double a = std::sqrt(0.5);
    const double b = std::sqrt(2.0);
    points[0] = taps[0];
    points[1] = (taps[0] + a * taps[1] + 0.5 * taps[2]) / -1.5;
    points[2] = (taps[0] - a * taps[1] + 0.5 * taps[2]) / -1.5;
    points[3] = (taps[0] + b * taps[1] + 2.0 * taps[2]) / 6.0;
    points[4] = (taps[0] - b * taps[1] + 2.0 * taps[2]) / 6.0;
    points[5] = taps[2];
}

/// Calls keep(output, input, point, value) for all of them.
template <class Keep>
void transform(const Layer& layer, int inputs, Keep keep) {
    for (Index o = 0; o < layer.outputs; ++o) {
        for (Index i = 0; i < inputs; ++i) {
            const float* const kernel = layer.weights.data() + (o * inputs + i) * 9;
            double down[3][6];
            for (int x = 0; x < 3; ++x) {
                const double taps[3] = {kernel[x], kernel[3 + x], kernel[6 + x]};
                to_points(taps, down[x]);
            }
            for (Index y = 0; y < 6; ++y) {
                const double taps[3] = {down[0][y], down[1][y], down[2][y]};
                double across[6];
                to_points(taps, across);
                for (Index x = 0; x < 6; ++x) keep(o, i, y * 6 + x, static_cast<float>(across[x]));
            }
        }
    }
}

Buffer pack_winograd(const Layer& layer, int inputs) {
    const Index padded = blocks_of(inputs) * kBlock;
    Buffer packed(size(blocks_of(layer.outputs) * kPoints * padded * kBlock));
    transform(layer, inputs, [&](Index o, Index i, Index point, float value) {
        const Index row = (o / kBlock * kPoints + point) * padded + i;
        packed.data()[row * kBlock + o % kBlock] = value;
    });
    return packed;
}

Buffer pack_tail(const Layer& layer, int inputs) {
    const Index padded = blocks_of(inputs) * kBlock;
    Buffer packed(size(kPoints / 4 * padded * kBlock));
    transform(layer, inputs, [&](Index o, Index i, Index point, float value) {
        const Index place = i / kBlock * kBlock + i % 4 * 4 + i % kBlock / 4;
        // Rows of points in the order 0, 5, 1, 2, 3, 4.
        const Index y = point / 6;
        const Index at = (y == 0 ? 0 : y == 5 ? 1 : y + 1) * 6 + point % 6;
        packed.data()[(at / 4 * padded + place) * kBlock + o * 4 + at % 4] = value;
    });
    return packed;
}

/// Rounded to nearest even; the value is finite.
std::uint16_t to_bf16(float value) {
    const std::uint32_t bits = bits_of(value);
    return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

Buffer pack_winograd_bf16(const Layer& layer, int inputs) {
    const Index padded = blocks_of(inputs) * kBlock;
    Buffer packed(size(blocks_of(layer.outputs) * kPoints * padded * kBlock / 2));
    unsigned char* const bytes = reinterpret_cast<unsigned char*>(packed.data());
    transform(layer, inputs, [&](Index o, Index i, Index point, float value) {
        const Index pair = ((o / kBlock * kPoints + point) * padded + i) / 2;
        const std::uint16_t half = to_bf16(value);
        std::memcpy(bytes + ((pair * kBlock + o % kBlock) * 2 + i % 2) * 2, &half, 2);
    });
    return packed;
}

Buffer pack_direct_int8(const Layer& layer, int inputs) {
    const int taps = layer.taps;
    const Index words = (inputs + 3) / 4;
    Buffer packed(size(blocks_of(layer.outputs) * taps * words * taps * kBlock));
    unsigned char* const bytes = reinterpret_cast<unsigned char*>(packed.data());
    const float* from = layer.weights.data();
    for (Index o = 0; o < layer.outputs; ++o) {
        for (Index i = 0; i < inputs; ++i) {
            for (Index y = 0; y < taps; ++y) {
                for (Index x = 0; x < taps; ++x, ++from) {
                    const Index row = (o / kBlock * taps + y) * words + i / 4;
                    const Index word = (row * taps + x) * kBlock + o % kBlock;
                    const std::int8_t weight = static_cast<std::int8_t>(*from);
                    std::memcpy(bytes + word * 4 + i % 4, &weight, 1);
                }
            }
        }
    }
    return packed;
}

Buffer pack_direct_amx(const Layer& layer, int inputs, const Filter& filter) {
    const int taps = layer.taps;
    const int pixel = tile_inputs(filter);
    const Index tile = Index{kBlock} * kBlock;
    Buffer packed(size(filter.output_blocks() * tile_steps(filter.taps, filter.input_blocks()) *
                       taps * tile));
    unsigned char* const bytes = reinterpret_cast<unsigned char*>(packed.data());
    for (Index o = 0; o < layer.outputs; ++o) {
        for (int step = 0; step < tile_steps(filter.taps, filter.input_blocks()); ++step) {
            for (int k = 0; k < 2 * kBlock; ++k) {
                const int x = (tile_offset(filter, step) + k) / pixel;
                const int i = (tile_offset(filter, step) + k) % pixel;
                if (x >= taps || i >= inputs) continue;
                for (int y = 0; y < taps; ++y) {
                    const Index at =
                        (o / kBlock * tile_steps(filter.taps, filter.input_blocks()) + step) *
                            taps +
                        y;
                    const Index pair = at * kBlock + k / 2;
                    const std::uint16_t half =
                        to_bf16(layer.weights[size(((o * inputs + i) * taps + y) * taps + x)]);
                    std::memcpy(bytes + ((pair * kBlock + o % kBlock) * 2 + k % 2) * 2, &half, 2);
                }
            }
        }
    }
    return packed;
}

/// Of each output the bias in steps of the sums, less what they are where all inputs are 0.
Buffer pack_starts(const Layer& layer, const Quantisation& source) {
    Buffer packed(size(blocks_of(layer.outputs) * kBlock));
    const std::size_t each = layer.weights.size() / size(layer.outputs);
    for (std::size_t o = 0; o < size(layer.outputs); ++o) {
        std::int32_t sum = static_cast<std::int32_t>(
            std::rint(layer.bias[o] / (double{source.scale} * layer.scales[o])));
        for (std::size_t i = 0; i < each; ++i) {
            sum -= source.zero * static_cast<std::int32_t>(layer.weights[o * each + i]);
        }
        std::memcpy(packed.data() + o, &sum, sizeof sum);
    }
    return packed;
}

Buffer pack_weights(const Layer& layer, const Filter& filter) {
    const int inputs = filter.inputs;
    switch (filter.algorithm) {
        case Algorithm::tail:
            return pack_tail(layer, inputs);
        case Algorithm::winograd:
            return pack_winograd(layer, inputs);
        case Algorithm::winograd_bf16:
            return pack_winograd_bf16(layer, inputs);
        case Algorithm::direct_amx:
            return pack_direct_amx(layer, inputs, filter);
        case Algorithm::direct_int8:
        case Algorithm::direct_vnni:
            return pack_direct_int8(layer, inputs);
        case Algorithm::quantise:
        case Algorithm::dequantise:
            return Buffer();
        case Algorithm::direct:
        case Algorithm::direct_fp64:
            break;
    }
    return pack_direct(layer, inputs);
}

Buffer pack_channels(const std::vector<float>& values, int outputs) {
    Buffer packed(size(blocks_of(outputs) * kBlock));
    for (std::size_t i = 0; i < values.size(); ++i) packed.data()[i] = values[i];
    return packed;
}

Finish finish_of(Activation activation) {
    switch (activation) {
        case Activation::relu:
            return Finish::relu;
        case Activation::leaky:
            return Finish::leaky;
        case Activation::clip:
            return Finish::clip;
        case Activation::none:
            break;
    }
    return Finish::none;
}

/// A step of the sums, in steps of the result if that is rounded. In floats, as ONNX Runtime has
/// it.
void pack_int8(const Layer& layer, const Shape& source, PackedFilter& packed) {
    packed.scales = pack_channels(layer.scales, layer.outputs);
    packed.starts = pack_starts(layer, source.quantisation);
    for (int o = 0; o < layer.outputs; ++o) {
        float& scale = packed.scales.data()[o];
        scale *= source.quantisation.scale;
        if (layer.result) scale /= layer.result.scale;
    }
    packed.filter.scales = packed.scales.data();
    packed.filter.starts = reinterpret_cast<const std::int32_t*>(packed.starts.data());
}

}  // namespace

PackedFilter pack(const Layer& layer, const Shape& source, Algorithm algorithm) {
    PackedFilter packed{};
    Filter& filter = packed.filter;
    filter.algorithm = algorithm;
    filter.taps = layer.taps;
    filter.inputs = source.channels;
    filter.outputs = layer.outputs;
    filter.finish = finish_of(layer.activation);
    filter.low = layer.low;
    filter.high = layer.high;
    filter.source = source.quantisation;
    filter.result = layer.result;
    filter.bytes = layer.bytes;
    // What goes between floats and bytes has no weights.
    if (layer.step != Step::convolution) return packed;
    packed.weights = pack_weights(layer, filter);
    packed.bias = pack_channels(layer.bias, layer.outputs);
    packed.slopes = pack_channels(layer.slopes, layer.outputs);
    filter.weights = packed.weights.data();
    filter.bias = packed.bias.data();
    filter.slopes = packed.slopes.data();
    if (is_int8(algorithm)) pack_int8(layer, source, packed);
    return packed;
}

}  // namespace rrt::nn
