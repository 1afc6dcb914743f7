#include "run/stop.hpp"

#include <signal.h>

#include "unmask/errors.hpp"

namespace unmask::run {
namespace {

// The request that signals raise; set while a StopSignals lives.
std::atomic<StopRequest*> signalled_request{nullptr};

extern "C" void on_stop_signal(int number) {
  StopRequest* request = signalled_request.load();
  if (request == nullptr) return;
  if (number == SIGINT) {
    request->escalate();
  } else {
    request->raise_to(StopLevel::kNow);
  }
}

struct sigaction old_int, old_term, old_pipe;

}  // namespace

void StopRequest::raise_to(StopLevel level) noexcept {
  int current = level_.load();
  while (current < static_cast<int>(level) &&
         !level_.compare_exchange_weak(current, static_cast<int>(level))) {
  }
}

StopSignals::StopSignals(StopRequest& request) {
  StopRequest* none = nullptr;
  UNMASK_CHECK(signalled_request.compare_exchange_strong(none, &request),
               "signals already lead to another stop request");
  struct sigaction action {};
  action.sa_handler = on_stop_signal;  // no SA_RESTART: the poll of the run wakes up
  ::sigaction(SIGINT, &action, &old_int);
  ::sigaction(SIGTERM, &action, &old_term);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, &old_pipe);
}

StopSignals::~StopSignals() {
  ::sigaction(SIGINT, &old_int, nullptr);
  ::sigaction(SIGTERM, &old_term, nullptr);
  ::sigaction(SIGPIPE, &old_pipe, nullptr);
  signalled_request = nullptr;
}

}  // namespace unmask::run
