// Runs of items in memory, in accesses as wide as the address allows.
#pragma once

#include <cstdint>

#include "core/geometry.h"

#ifdef __CUDACC__
#define RRT_UNROLL _Pragma("unroll")
#define RRT_WORD(bytes) alignas(bytes)
#else
#define RRT_UNROLL
// A compiler for hosts must be told that words are laid over other types.
#define RRT_WORD(bytes) __attribute__((aligned(bytes), may_alias))
#endif

namespace rrt::cuda {

/// The addresses that may be read.
struct Extent {
    std::uintptr_t begin;
    std::uintptr_t end;
};

template <int bytes>
struct RRT_WORD(bytes) Word {
    std::uint32_t lanes[bytes / 4];
};

/// Items side by side, as wide words see them.
template <class T, int n>
struct alignas(16) Run {
    T items[n];
};

/// The widest word that a run of so many bytes can be made of.
RRT_HOST_DEVICE constexpr int widest_word(int bytes) {
    return bytes % 16 == 0 ? 16 : bytes % 8 == 0 ? 8 : bytes % 4 == 0 ? 4 : 0;
}

template <int word, class T, int n>
RRT_HOST_DEVICE inline void copy_words(Run<T, n>& run, const T* source) {
    constexpr int count = n * static_cast<int>(sizeof(T)) / word;
    Word<word> words[count];
    RRT_UNROLL
    for (int i = 0; i < count; ++i) words[i] = reinterpret_cast<const Word<word>*>(source)[i];
    __builtin_memcpy(run.items, words, sizeof run.items);
}

/// Low 32 bits of (high:low) >> bits, bits 0 to 31.
RRT_HOST_DEVICE inline std::uint32_t funnel(std::uint32_t low, std::uint32_t high, unsigned bits) {
#ifdef __CUDA_ARCH__
    return __funnelshift_r(low, high, bits);
#else
    return static_cast<std::uint32_t>(
        ((static_cast<std::uint64_t>(high) << 32) | static_cast<std::uint64_t>(low)) >> bits);
#endif
}

/// Reads n items from any address: whole words around them, shifted into place.
template <int word, class T, int n>
RRT_HOST_DEVICE inline void copy_shifted(Run<T, n>& run, const T* source) {
    constexpr int lanes_in_word = word / 4;
    constexpr int lanes = n * static_cast<int>(sizeof(T)) / 4;
    constexpr int words = lanes / lanes_in_word + 1;
    const auto address = reinterpret_cast<std::uintptr_t>(source);
    const auto* const first = reinterpret_cast<const Word<word>*>(address - address % word);
    std::uint32_t read[words * lanes_in_word];
    RRT_UNROLL
    for (int i = 0; i < words; ++i) {
        const Word<word> part = first[i];
        RRT_UNROLL
        for (int k = 0; k < lanes_in_word; ++k) read[i * lanes_in_word + k] = part.lanes[k];
    }
    // Whole lanes by halves, so that every index is a constant and all stays in registers.
    const auto skipped = static_cast<unsigned>(address % word / 4);
    if constexpr (lanes_in_word == 4) {
        RRT_UNROLL
        for (int i = 0; i < lanes + 2; ++i) read[i] = (skipped & 2u) != 0 ? read[i + 2] : read[i];
    }
    if constexpr (lanes_in_word >= 2) {
        RRT_UNROLL
        for (int i = 0; i < lanes + 1; ++i) read[i] = (skipped & 1u) != 0 ? read[i + 1] : read[i];
    }
    const auto bits = static_cast<unsigned>(address % 4) * 8;
    RRT_UNROLL
    for (int i = 0; i < lanes; ++i) read[i] = funnel(read[i], read[i + 1], bits);
    __builtin_memcpy(run.items, read, sizeof run.items);
}

/// Reads n items from any address of which the words around them may be read, else one by one.
template <class T, int n>
RRT_HOST_DEVICE inline void load(Run<T, n>& run, const T* source, const Extent& extent) {
    constexpr int bytes = n * static_cast<int>(sizeof(T));
    constexpr int word = widest_word(bytes);
    if constexpr (word != 0) {
        const auto address = reinterpret_cast<std::uintptr_t>(source);
        const std::uintptr_t begin = address - address % word;
        if (address == begin) return copy_words<word>(run, source);
        if (begin >= extent.begin && begin + bytes + word <= extent.end) {
            return copy_shifted<word>(run, source);
        }
    }
    RRT_UNROLL
    for (int i = 0; i < n; ++i) run.items[i] = source[i];
}

template <int word, class T, int n>
RRT_HOST_DEVICE inline void store_words(T* target, const Run<T, n>& run) {
    constexpr int count = n * static_cast<int>(sizeof(T)) / word;
    Word<word> words[count];
    __builtin_memcpy(words, run.items, sizeof run.items);
    RRT_UNROLL
    for (int i = 0; i < count; ++i) reinterpret_cast<Word<word>*>(target)[i] = words[i];
}

/// Writes n items to any address.
template <class T, int n>
RRT_HOST_DEVICE inline void store(T* target, const Run<T, n>& run) {
    constexpr int bytes = n * static_cast<int>(sizeof(T));
    const auto address = reinterpret_cast<std::uintptr_t>(target);
    if constexpr (bytes % 16 == 0) {
        if (address % 16 == 0) return store_words<16>(target, run);
    }
    if constexpr (bytes % 8 == 0) {
        if (address % 8 == 0) return store_words<8>(target, run);
    }
    if constexpr (bytes % 4 == 0) {
        if (address % 4 == 0) return store_words<4>(target, run);
    }
    RRT_UNROLL
    for (int i = 0; i < n; ++i) target[i] = run.items[i];
}

}  // namespace rrt::cuda
