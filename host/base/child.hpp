#pragma once
// Other programs: start one with exactly the descriptors it shall have, describe how it ended, or
// run it to its end and keep what it printed.

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"

namespace unmask::base {

/// How to start a program.
struct ChildSpec {
  std::vector<std::string> argv;  ///< argv[0]: path of the program, or a name looked up in PATH
  std::vector<std::string> env;   ///< "NAME=value"; added to the environment of this process
  /// {descriptor here, number there}. The child gets these and nothing else above 2.
  /// 0, 1 and 2 are /dev/null unless named.
  std::vector<std::pair<int, int>> fds;
  bool own_group = false;  ///< make it the leader of a new process group
};

/// Start a program and return its process id. Signals are unblocked and at their defaults in it.
/// @throws InternalError naming the program and the reason when it cannot be started
pid_t spawn(const ChildSpec& spec);

/// How a process ended.
struct ExitStatus {
  std::optional<int> exit_code;
  std::optional<int> signal;
  bool is_success() const noexcept { return exit_code == 0; }
};

/// From the status that waitpid gives.
ExitStatus exit_status(int wait_status);

/// "exited with code 3", "killed by signal 11 (Segmentation fault)".
std::string describe(const ExitStatus& status);

/// Bytes as a file without a name, open at its start: what a child finds on a descriptor, however
/// much it is. Arguments have a limit. @throws InternalError when there is no memory for it
UniqueFd memory_file(std::string_view bytes);

/// What a program did that ran to its end.
struct ChildOutput {
  ExitStatus status;
  bool timed_out = false;     ///< it was killed because its time was up
  bool is_truncated = false;  ///< it printed more than the limit; the rest was dropped
  std::string out;            ///< standard output, at most the limit
  std::string err;            ///< standard error, at most the limit
};

/// Run a program to its end in its own process group and keep what it prints. Processes that it
/// left behind in its group are killed. A program that runs longer than `timeout_s` is killed.
/// @param limit_bytes kept per stream
/// @param input what it finds on standard input
/// @throws InternalError when it cannot be started
ChildOutput run_child(const std::vector<std::string>& argv,
                      double timeout_s,
                      std::size_t limit_bytes = std::size_t{16} << 20,
                      const std::vector<std::string>& env = {},
                      std::string_view input = {});

}  // namespace unmask::base
