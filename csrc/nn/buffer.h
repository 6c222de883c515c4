// Floats on a cache line's boundary, which vectors of every width want.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

namespace rrt::nn {

class Buffer {
  public:
    Buffer() = default;
    /// Zeros.
    explicit Buffer(std::size_t size)
        : size_(size),
          data_(static_cast<float*>(::operator new(size * sizeof(float), std::align_val_t{64}))) {
        std::memset(data_, 0, size * sizeof(float));
    }
    Buffer(Buffer&& other) noexcept
        : size_(std::exchange(other.size_, 0)), data_(std::exchange(other.data_, nullptr)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(size_, other.size_);
        std::swap(data_, other.data_);
        return *this;
    }
    ~Buffer() {
        if (data_ != nullptr) ::operator delete(data_, std::align_val_t{64});
    }

    float* data() { return data_; }
    const float* data() const { return data_; }
    std::size_t size() const { return size_; }

  private:
    std::size_t size_ = 0;
    float* data_ = nullptr;
};

}  // namespace rrt::nn
