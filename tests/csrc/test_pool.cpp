#include <atomic>
#include <thread>
#include <vector>

#include "check.h"
#include "cpu/pool.h"

namespace {

/// Each band adds one to its own counter.
bool every_band_ran_once(int bands) {
    std::vector<std::atomic<int>> counts(static_cast<std::size_t>(bands));
    rrt::cpu::run_bands(
        bands,
        [](void* context, int band) {
            ++(*static_cast<std::vector<std::atomic<int>>*>(
                context))[static_cast<std::size_t>(band)];
        },
        &counts);
    for (const std::atomic<int>& count : counts) {
        if (count != 1) return false;
    }
    return true;
}

}  // namespace

void test_pool() {
    for (const int bands : {1, 2, 3, 8}) CHECK(every_band_ran_once(bands));
    std::atomic<int> good{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 6; ++caller) {
        callers.emplace_back([&good, caller] {
            for (int i = 0; i < 200; ++i) good += every_band_ran_once(1 + (caller + i) % 5);
        });
    }
    for (std::thread& caller : callers) caller.join();
    CHECK(good == 6 * 200);
}
