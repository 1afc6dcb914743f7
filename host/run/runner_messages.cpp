// What workers say, and how they end.

#include <signal.h>

#include <utility>
#include <variant>

#include "base/frames.hpp"
#include "run/complaint.hpp"
#include "run/progress_text.hpp"
#include "run/runner_loop.hpp"
#include "unmask/errors.hpp"

namespace unmask::run {
namespace {

using wire::CellFailure;
using wire::FailureClass;
using State = Slot::State;

}  // namespace

// ---- what workers say ----

void Runner::service(Slot& slot) {
  WorkerProcess& process = *slot.process;
  process.flush();
  process.read_output();
  process.receive();
  handle_frames(slot);
  if (const auto status = process.poll_exit()) {
    handle_frames(slot);  // what it said last counts, too
    handle_exit(slot, *status);
  } else {
    check_clock(slot);
  }
}

void Runner::handle_frames(Slot& slot) {
  while (!slot.is_deaf()) {
    try {
      const auto frame = slot.process->next_frame();
      if (!frame) return;
      const wire::WorkerMessage message = wire::parse_worker_message(*frame);
      std::visit([&](const auto& m) { handle(slot, m); }, message);
    } catch (const base::FrameError& error) {
      protocol_error(slot, error.what());
    }
  }
}

void Runner::handle(Slot& slot, const wire::Hello& hello) {
  if (slot.state != State::kStarting) throw base::FrameError("a second hello");
  slot.state = State::kIdle;
  slot.device = hello.device;
  if (hello.free_device_bytes) crew_.learn_room(slot, *hello.free_device_bytes);
  slot.time_limit.reset();
  progress_.worker_started(crew_.number_of(slot), slot.process->pid(), hello.device);
}

void Runner::handle(Slot& slot, const wire::CellProgress& m) {
  require_cell(slot, m.key);
  const int worker = crew_.number_of(slot);
  const std::int64_t done = divided_.done(slot.cell, worker, m.done);
  progress_.cell_progress(worker, plan_[slot.cell], done, m.total, m.note);
}

void Runner::handle(Slot& slot, const wire::Result& m) {
  if (slot.state != State::kRunning) throw base::FrameError("a result that nobody asked for");
  if (m.key != plan_[slot.cell].key) {
    fail_and_recycle(slot,
                     failed(FailureClass::kInvalid, "the result is of another cell, " + m.key));
    return;
  }
  finish_result(slot, m.result, m.spoilt);
}

void Runner::finish_result(Slot& slot, wire::CellResult result, const std::string& spoilt) {
  if (const auto wrong = complaint(plan_[slot.cell], result)) {
    fail_and_recycle(slot, failed(FailureClass::kInvalid, *wrong));
    return;
  }
  if (!spoilt.empty()) result.remarks.push_back(spoilt);
  finish_cell(slot, result, spoilt);
  settle_worker(slot, spoilt);
}

void Runner::handle(Slot& slot, const wire::Part& m) {
  require_cell(slot, m.key);
  const int worker = crew_.number_of(slot);
  if (const auto wrong = divided_.complaint(slot.cell, worker, m.part)) {
    fail_and_recycle(slot, failed(FailureClass::kInvalid, *wrong));
  } else if (running_.contains(slot.cell) && divided_.completes(slot.cell, m.part)) {
    finish_last_part(slot, m.part, m.spoilt);
  } else {
    finish_part(slot, m.part, m.spoilt);
  }
}

void Runner::handle(Slot& slot, const wire::Failure& m) {
  require_cell(slot, m.key);
  CellFailure failure = failed(m.failure_class, m.message);
  if (m.failure_class == FailureClass::kPluginError) {
    // The worker caught it in an orderly way and can go on.
    fail_cell(slot, std::move(failure));
    slot.state = State::kIdle;
    slot.time_limit.reset();
    settle_worker(slot, m.spoilt);
  } else {
    fail_and_recycle(slot, std::move(failure));
  }
}

void Runner::require_cell(const Slot& slot, const std::string& key) const {
  if (slot.state != State::kRunning)
    throw base::FrameError("a message about a cell while it has none");
  if (key != plan_[slot.cell].key) throw base::FrameError("a message about another cell, " + key);
}

void Runner::fail_and_recycle(Slot& slot, CellFailure failure) {
  fail_cell(slot, std::move(failure));
  slot.state = State::kStopping;
  slot.kill();
}

void Runner::settle_worker(Slot& slot, const std::string& spoilt) {
  const std::string title = wire::title(plan_[slot.cell]);
  const std::int64_t bytes = resident_bytes(slot.process->pid());
  if (slot.cells_begun == 1) slot.first_bytes = bytes;
  const std::int64_t growth = bytes - slot.first_bytes;
  if (!spoilt.empty()) {
    ledger_.note(title + ": " + spoilt + "; its worker was replaced");
  } else if (growth > options_.memory_growth_bytes) {
    progress_.notice(title + ": its worker had grown by " + memory_text(growth) + " in " +
                     std::to_string(slot.cells_begun) + " cells and was replaced");
  } else if (options_.recycle_after == 0 || slot.cells_begun < options_.recycle_after) {
    return;
  }
  slot.stop(options_.term_grace_s);
}

// ---- ends ----

void Runner::handle_exit(Slot& slot, const base::ExitStatus& status) {
  const State state = slot.state;
  if (state == State::kRunning) {
    CellFailure failure = crash(*slot.process, status);
    if (status.signal == SIGKILL && options_.memory_kills() > slot.kills_before) {
      failure.failure_class = FailureClass::kOutOfMemory;
      failure.message =
          "the kernel killed the worker in the middle of the cell, since memory ran out";
    }
    // A worker may fall over what an earlier cell left behind before it even reads the next one.
    // That cannot repeat itself for ever: the next try is the first cell of its worker.
    const bool is_blameless = slot.process->left_messages_unread() && slot.cells_begun > 1;
    if (is_blameless) failure.message += ", before it had read it";
    fail_cell(slot, std::move(failure), is_blameless);
  } else if (state == State::kDying) {
    fail_cell(slot, *slot.cell_failure);
  } else if (state == State::kStarting || (state == State::kIdle && slot.cells_begun == 0)) {
    const std::string when =
        state == State::kStarting ? " before it was ready" : " before its first cell";
    if (slot.start_problem) {
      crew_.start_failed(slot, std::string(*slot.start_problem), {});
    } else {
      crew_.start_failed(slot, "it " + past_tense(status) + when, status);
    }
    return;
  }
  crew_.clear(slot);
}

}  // namespace unmask::run
