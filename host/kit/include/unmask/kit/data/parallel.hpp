#pragma once
// Tens of thousands of small files, read and decoded by several threads. What comes out does not
// depend on their number.

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace unmask::kit {

/// Threads to read files with: one for each processor that this process may use, at most 4, since
/// each of them holds a decoded picture.
inline std::size_t reading_threads() {
  constexpr int kMost = 4;
  cpu_set_t processors;
  CPU_ZERO(&processors);
  // It fails where the machine has more processors than the set has room for.
  const bool is_known = ::sched_getaffinity(0, sizeof processors, &processors) == 0;
  return static_cast<std::size_t>(std::clamp(is_known ? CPU_COUNT(&processors) : kMost, 1, kMost));
}

/// Calls work(i) once for every i from 0 to count - 1, from up to `threads` threads, the calling one
/// among them; they have ended when this returns. work(i) must not touch what another call writes.
/// When calls throw, the exception of the smallest i is thrown here, as a loop would; of larger ones
/// some have been worked on then.
template <class Work>
void for_each_index(std::size_t count, std::size_t threads, const Work& work) {
  // Chunks are handed out in ascending order, and each that was handed out is worked on until its
  // own first failure. So everything below the smallest failure is worked on, whoever does it.
  constexpr std::size_t kChunk = 32;
  std::atomic<std::size_t> next{0};
  std::atomic<bool> has_failed{false};
  std::mutex guard;
  std::size_t failed_at = count;
  std::exception_ptr failure;
  const auto take_turns = [&] {
    while (!has_failed) {
      std::size_t i = next.fetch_add(kChunk);
      const std::size_t end = std::min(i + kChunk, count);
      try {
        for (; i < end; ++i) work(i);
      } catch (...) {
        const std::lock_guard lock(guard);
        has_failed = true;
        if (i >= failed_at) return;
        failed_at = i;
        failure = std::current_exception();
      }
      if (end == count) return;
    }
  };
  {
    std::vector<std::jthread> helpers;  // joined at the end of this block
    const std::size_t useful = std::min(threads, (count + kChunk - 1) / kChunk);
    helpers.reserve(useful);
    try {
      while (helpers.size() + 1 < useful) helpers.emplace_back(take_turns);
    } catch (const std::system_error&) {
      // The system gives no further thread: those that there are do the work.
    }
    take_turns();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace unmask::kit
