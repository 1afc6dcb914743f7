#pragma once
// Processes that somebody else's code started and left running. They keep processors and memory
// busy long after the run that they belong to, and nobody knows whose they are.

#include <sys/types.h>

#include <cstddef>
#include <vector>

namespace unmask::base {

/// While it lives, a process whose parent ends becomes a child of this one instead of init's, even
/// if it has made itself a session of its own. Its end ends them. At most one at a time.
class LeftBehind {
 public:
  LeftBehind();
  ~LeftBehind();
  LeftBehind(const LeftBehind&) = delete;
  LeftBehind& operator=(const LeftBehind&) = delete;

  /// Kill and reap the children of this process, and what those leave behind. Those that it had when
  /// this object was made are not touched: whoever replaced a shell by this program has them.
  /// @param spared  children that were started on purpose and have not been waited for
  /// @return how many there were
  std::size_t end_all(const std::vector<pid_t>& spared = {});

  /// How many there were in all.
  std::size_t count() const noexcept { return count_; }

 private:
  std::vector<pid_t> earlier_;  // children before this object
  std::size_t count_ = 0;
};

}  // namespace unmask::base
