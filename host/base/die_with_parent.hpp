#pragma once
// Ties the life of a worker to that of the host. The worker's main calls die_with_parent() before
// anything else; the kernel then kills the worker when the host ends, however the host ends.

#include <signal.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace unmask::base {

/// Environment variable in which the host tells a worker the host's process id.
inline constexpr const char* kHostPidVariable = "UNMASK_HOST_PID";

/// Ask to be killed when the parent ends. The parent may have ended before the question: then this
/// process already has another parent, which the variable kHostPidVariable reveals, and it dies at
/// once. Without the variable (a worker started by hand) only the request is made.
/// @note the kernel looks at the *thread* that started this process: the host starts workers from
///       the thread that lives as long as the run.
inline void die_with_parent() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const char* host =
      std::getenv(kHostPidVariable);  // NOLINT(concurrency-mt-unsafe): one thread yet
  if (host != nullptr && std::to_string(::getppid()) != host) ::raise(SIGKILL);
}

}  // namespace unmask::base
