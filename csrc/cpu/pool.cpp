#include "cpu/pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace rrt::cpu {
namespace {

/// One call of run_bands; it lives on the caller's stack. The pool's mutex guards it.
struct Call {
    void (*work)(void*, int);
    void* context;
    int bands;
    int next = 0;
    int running = 0;
    std::condition_variable ended{};
};

class Pool {
  public:
    void run(Call& call) {
        std::unique_lock lock(mutex_);
        grow(call.bands - 1);
        calls_.push_back(&call);
        if (call.bands == 2) {
            wake_.notify_one();
        } else {
            wake_.notify_all();
        }
        while (call.next < call.bands) run_one(call, lock);
        call.ended.wait(lock, [&] { return call.running == 0; });
    }

    void join() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (std::thread& worker : workers_) worker.join();
    }

  private:
    /// The calling thread does what threads that cannot be started would have done.
    void grow(int size) {
        while (!stopping_ && static_cast<int>(workers_.size()) < size) {
            try {
                workers_.emplace_back([this] { serve(); });
            } catch (const std::system_error&) {
                return;
            }
        }
    }

    void serve() {
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return stopping_ || !calls_.empty(); });
            if (calls_.empty()) return;
            run_one(*calls_.front(), lock);
        }
    }

    void run_one(Call& call, std::unique_lock<std::mutex>& lock) {
        const int band = call.next++;
        ++call.running;
        if (call.next == call.bands) {
            calls_.erase(std::find(calls_.begin(), calls_.end(), &call));
        }
        lock.unlock();
        call.work(call.context, band);
        lock.lock();
        --call.running;
        // Under the mutex: the caller cannot leave, and take the condition with it, before this.
        if (call.running == 0 && call.next == call.bands) call.ended.notify_one();
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Call*> calls_;
    std::vector<std::thread> workers_;
    bool stopping_ = false;
};

std::atomic<Pool*> current{nullptr};

/// A forked child has none of its parent's threads, so it forgets the pool and makes another.
void forget() { current.store(nullptr); }

/// The pool itself is never freed: a daemon thread may still be in a kernel while the process ends.
struct JoinAtExit {
    ~JoinAtExit() {
        if (Pool* pool = current.load()) pool->join();
    }
};

Pool& pool() {
    static const int registered = pthread_atfork(nullptr, nullptr, forget);
    static const JoinAtExit join_at_exit;
    static_cast<void>(registered);
    Pool* found = current.load();
    if (found == nullptr) {
        Pool* const made = new Pool;
        if (current.compare_exchange_strong(found, made)) return *made;
        delete made;
    }
    return *found;
}

}  // namespace

void run_bands(int bands, void (*work)(void* context, int band), void* context) {
    if (bands == 1) return work(context, 0);
    Call call{work, context, bands};
    pool().run(call);
}

}  // namespace rrt::cpu
