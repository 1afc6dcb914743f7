#include "run/slot.hpp"

#include <signal.h>

#include <chrono>
#include <utility>

#include "wire/messages.hpp"

namespace unmask::run {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string seconds_text(double seconds) {
  std::string text = std::to_string(seconds);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

std::string past_tense(const base::ExitStatus& status) {
  return (status.signal ? "was " : "") + base::describe(status);
}

wire::CellFailure failed(wire::FailureClass failure_class, std::string message) {
  wire::CellFailure failure;
  failure.failure_class = failure_class;
  failure.message = std::move(message);
  return failure;
}

wire::CellFailure crash(const WorkerProcess& process, const base::ExitStatus& status) {
  wire::CellFailure failure =
      failed(wire::FailureClass::kCrash,
             "the worker " + past_tense(status) + " in the middle of the cell");
  if (process.is_truncated()) failure.message += "; its last message is truncated";
  failure.signal = status.signal;
  failure.exit_code = status.exit_code;
  return failure;
}

void Slot::clear() {
  process.reset();
  state = State::kEmpty;
  holds.reset();
  cell_failure.reset();
  start_problem.reset();
  time_limit.reset();
  kill_at.reset();
}

void Slot::stop(double grace_s) {
  process->send(wire::Stop{});
  state = State::kStopping;
  time_limit.reset();
  kill_at = now_s() + grace_s;
}

void Slot::kill() {
  process->signal(SIGKILL);
  kill_at.reset();
  time_limit.reset();
}

void Slot::condemn(wire::CellFailure failure) {
  cell_failure = std::move(failure);
  state = State::kDying;
}

void Slot::withdraw() {
  state = cells_begun == 0 ? State::kStarting : State::kStopping;
}

}  // namespace unmask::run
