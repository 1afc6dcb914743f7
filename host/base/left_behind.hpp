#pragma once
// Processes that somebody else's code started and left running. They keep processors and memory
// busy long after the run that they belong to, and nobody knows whose they are.

#include <cstddef>

namespace unmask::base {

/// While it lives, a process whose parent ends becomes a child of this one instead of init's, even
/// if it has made itself a session of its own. At most one at a time.
class LeftBehind {
 public:
  LeftBehind();
  ~LeftBehind();
  LeftBehind(const LeftBehind&) = delete;
  LeftBehind& operator=(const LeftBehind&) = delete;

  /// Kill and reap every child of this process, and what those leave behind. To be called when all
  /// children that were started on purpose have been waited for. @return how many there were
  std::size_t end_all();
};

}  // namespace unmask::base
