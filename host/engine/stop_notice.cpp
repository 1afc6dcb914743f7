#include "engine/stop_notice.hpp"

#include <cstdlib>

namespace unmask::engine {
namespace {

volatile std::sig_atomic_t is_asked_to_stop = 0;

extern "C" void unmask_on_sigterm(int) {
  is_asked_to_stop = 1;
}

}  // namespace

StopNotice::StopNotice() {
  is_asked_to_stop = 0;
  struct sigaction action {};
  action.sa_handler = unmask_on_sigterm;
  action.sa_flags = SA_RESTART;  // nobody who waits for data shall notice
  ::sigaction(SIGTERM, &action, &old_);
}

StopNotice::~StopNotice() {
  ::sigaction(SIGTERM, &old_, nullptr);
}

bool StopNotice::is_raised() {
  return is_asked_to_stop != 0;
}

void StopNotice::obey() {
  std::signal(SIGTERM, SIG_DFL);
  std::raise(SIGTERM);
  std::abort();  // not reached: the default action ends the process
}

}  // namespace unmask::engine
