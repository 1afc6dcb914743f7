#pragma once
// Wishes to end a run early, from a signal or from another thread.

#include <atomic>

namespace unmask::run {

enum class StopLevel : int {
  kNone = 0,
  kDrain = 1,  ///< begin no cell, let the running ones finish
  kNow = 2     ///< kill the workers
};

/// A wish to end the run early. Safe to raise from a signal handler or another thread.
class StopRequest {
 public:
  StopLevel level() const noexcept { return static_cast<StopLevel>(level_.load()); }
  /// The wish only grows.
  void raise_to(StopLevel level) noexcept;
  /// One level more: drain, then stop.
  void escalate() noexcept {
    raise_to(level() == StopLevel::kNone ? StopLevel::kDrain : StopLevel::kNow);
  }

 private:
  std::atomic<int> level_{0};
  static_assert(std::atomic<int>::is_always_lock_free, "a signal handler writes this");
};

/// While it lives, SIGINT raises the request by one level (once drains, twice stops) and SIGTERM
/// stops. SIGPIPE is ignored. At most one at a time.
class StopSignals {
 public:
  explicit StopSignals(StopRequest& request);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
};

}  // namespace unmask::run
