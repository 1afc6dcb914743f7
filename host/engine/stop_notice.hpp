#pragma once
// SIGTERM as a request: while a notice lives, the signal only raises a flag, so that a training can
// leave a snapshot before the process ends.

#include <csignal>

namespace unmask::engine {

/// At most one at a time in a process.
class StopNotice {
 public:
  StopNotice();
  ~StopNotice();
  StopNotice(const StopNotice&) = delete;
  StopNotice& operator=(const StopNotice&) = delete;

  /// True once SIGTERM has come.
  static bool is_raised();

  /// End the process the way SIGTERM would have ended it.
  [[noreturn]] static void obey();

 private:
  struct sigaction old_ {};
};

}  // namespace unmask::engine
