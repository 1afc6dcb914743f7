#include "run/runner.hpp"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "run/progress_text.hpp"
#include "run/runner_loop.hpp"

namespace unmask::run {
namespace {

using wire::Cell;
using wire::CellFailure;
using wire::CellKind;
using wire::FailureClass;
using State = Slot::State;

// The loop looks around at least this often: stop requests, time limits, workers that died while
// something else kept their socket open.
constexpr int kTickMs = 100;

// A worker that closed its socket has ended, or is about to.
constexpr double kAfterEofS = 1;

}  // namespace

Runner::Runner(const std::vector<Cell>& plan,
               const StoredCells& stored,
               const RunOptions& options,
               Recorder& recorder,
               Progress& progress)
    : plan_(plan),
      options_(options),
      recorder_(recorder),
      progress_(progress),
      agenda_(plan, stored, options.costs),
      crew_(options),
      policy_(plan, stored, options.failures),
      ledger_({plan, options, recorder, progress, agenda_, policy_}),
      divided_(plan, recorder.stored_parts(), options.part_s),
      attempts_(plan.size(), 0) {}

RunSummary Runner::run() {
  const double start = now_s();
  RunOutline outline = agenda_.outline();
  outline.workers = options_.workers;
  progress_.run_started(outline);
  while (!is_over()) {
    look_for_stop_request();
    if (stop_ == StopLevel::kNow) {
      stop_now();
      break;
    }
    if (may_begin_cells()) ledger_.settle_without_workers();
    hand_out();
    wait();
  }
  stop_idle_workers();
  end_what_waits();
  RunSummary& summary = ledger_.summary();
  summary.hit = agenda_.outline().hit;
  summary.not_run = agenda_.outline().cells() - summary.ran - summary.failed - summary.skipped -
                    summary.interrupted;
  summary.drained = stop_ != StopLevel::kNone;
  summary.wall_s = now_s() - start;
  progress_.run_finished(summary);
  return summary;
}

// ---- cells ----

void Runner::begin_cell(Slot& slot, std::size_t index) {
  const Cell& cell = plan_[index];
  const auto [running, is_new] = running_.try_emplace(index);
  if (is_new) {
    running->second.attempt = recorder_.attempt_started(cell, slot.process->pid(), slot.device);
  }
  slot.cell = index;
  slot.failed_starts = 0;
  ++slot.cells_begun;
  const auto& checkpoint = agenda_.needs().checkpoint(index);
  if (cell.kind == CellKind::kTrain || checkpoint) slot.holds = checkpoint.value_or(index);
  slot.log->begin(cell.key + " " + wire::title(cell));
  send_order(slot);
  if (is_new) {
    progress_.cell_started(crew_.number_of(slot), cell, ++attempts_[index]);
  } else {
    progress_.cell_joined(crew_.number_of(slot), cell);
  }
}

void Runner::send_order(Slot& slot) {
  const std::size_t index = slot.cell;
  wire::Execute order = agenda_.order(index);
  if (order.kind != CellKind::kTrain) {
    const bool is_shared = agenda_.ready().shareable() == 0 && !is_alone_;
    const std::size_t sharers = is_shared ? crew_.capacity() : 1;
    order.part = divided_.take(index, crew_.number_of(slot), sharers);
  }
  slot.state = State::kRunning;
  slot.kills_before = options_.memory_kills();
  slot.time_limit.reset();
  if (const auto limit = timeout_of(plan_[index])) {
    slot.time_limit = now_s() + *limit - running_.at(index).spent_s;
  }
  slot.process->send(order);
}

std::optional<double> Runner::timeout_of(const Cell& cell) const {
  return cell.timeout_s ? cell.timeout_s : options_.timeout_s;
}

void Runner::finish_cell(Slot& slot, const wire::CellResult& result, const std::string& spoilt) {
  const std::size_t index = slot.cell;
  const Cell& cell = plan_[index];
  const Recorded recorded = recorder_.cell_done(running_.at(index).attempt, cell, result);
  slot.state = State::kIdle;
  slot.time_limit.reset();
  if (recorded.refusal) {
    fail_cell(slot, failed(FailureClass::kPluginError, *recorded.refusal));
    return;
  }
  if (result.device_peak_bytes) crew_.learn_peak(*result.device_peak_bytes);
  ++ledger_.summary().ran;
  progress_.cell_done(crew_.number_of(slot), cell, result);
  for (const std::string& remark : result.remarks) {
    if (remark != spoilt) ledger_.note(wire::title(cell) + ": " + remark);
  }
  turn_from(slot);
  running_.erase(index);
  divided_.forget(index);
  // Another worker may have failed at it, and it was to be tried again.
  agenda_.ready().drop(index);
  policy_.finished(index);
  agenda_.finish(index, result.checkpoint);
  if (!recorded.discarded.empty()) ledger_.run_again(cell, recorded.discarded);
}

void Runner::fail_cell(Slot& slot, CellFailure failure, bool is_blameless) {
  const std::size_t index = slot.cell;
  const Cell& cell = plan_[index];
  turn_from(slot);
  const auto running = running_.find(index);
  if (running == running_.end()) {
    // It has failed already, in another part.
    progress_.cell_left(crew_.number_of(slot), cell);
    return;
  }
  failure.log_tail = slot.log->tail();
  failure.log_file = slot.log->file().string();
  failure.plugins = plugins_text(cell);
  if (options_.command_of) failure.command = options_.command_of(cell);
  const bool is_interrupted = failure.failure_class == FailureClass::kInterrupted;
  if (failure.failure_class == FailureClass::kOutOfMemory) crew_.ran_out(slot);
  std::optional<Wish> wish;
  if (may_begin_cells()) {
    wish = is_blameless ? Wish::kFreshWorker : policy_.failed(index, failure.failure_class);
  }
  if (!wish && !is_interrupted) {
    if (const auto why = policy_.gave_up(index, failure.failure_class)) {
      failure.message += "; " + *why;
    }
  }
  recorder_.cell_failed(running->second.attempt, cell, failure, wish.has_value());
  running_.erase(running);
  progress_.cell_failed(crew_.number_of(slot), cell, failure, wish.has_value());
  if (is_interrupted) {
    ++ledger_.summary().interrupted;
  } else if (wish) {
    agenda_.ready().add(index, *wish);
  } else {
    ledger_.give_up(index, failure);
  }
}

// ---- handing out ----

bool Runner::is_over() const {
  return !crew_.has_cells() && (!may_begin_cells() || agenda_.ready().size() == 0);
}

void Runner::hand_out() {
  if (!may_begin_cells()) return;
  for (Slot& slot : crew_.slots()) {
    if (slot.state == State::kIdle && crew_.is_surplus(slot)) slot.stop(options_.term_grace_s);
  }
  ReadyCells& ready = agenda_.ready();
  if (ready.shareable() == 0) {
    if (ready.size() > 0 && !crew_.has_cells()) {
      hand_out_alone();
    } else if (stop_ == StopLevel::kNone) {
      share_out();
    }
    return;
  }
  for (Slot& slot : crew_.slots()) {
    if (slot.state != State::kIdle) continue;
    const auto cell = ready.take({slot.cells_begun == 0, slot.holds, crew_.capacity()},
                                 [&](std::size_t training) { return crew_.is_held(training); });
    if (cell) begin_cell(slot, *cell);
  }
  std::size_t starting = crew_.count(State::kStarting);
  for (Slot& slot : crew_.slots()) {
    if (slot.state == State::kEmpty && starting < ready.shareable() && crew_.may_start(slot)) {
      crew_.start(slot);
      ++starting;
    }
  }
  // What is left wants a fresh worker. One comes when a slot becomes empty; see that one does.
  Slot* idle = crew_.first(State::kIdle);
  if (ready.shareable() > 0 && starting == 0 && !crew_.is_any(State::kStopping) &&
      idle != nullptr) {
    idle->stop(options_.term_grace_s);
  }
}

void Runner::hand_out_alone() {
  bool is_clear = true;
  for (Slot& slot : crew_.slots()) {
    const bool is_first = &slot == &crew_.slots().front();
    if (is_first && slot.state == State::kIdle && slot.cells_begun == 0) continue;
    if (slot.state == State::kIdle) slot.stop(options_.term_grace_s);
    is_clear = is_clear && slot.state == State::kEmpty;
  }
  Slot& slot = crew_.slots().front();
  if (!is_clear) return;
  if (slot.state == State::kEmpty) {
    crew_.start(slot);
  } else {
    is_alone_ = true;
    begin_cell(slot, agenda_.ready().take_alone());
  }
}

void Runner::protocol_error(Slot& slot, const std::string& what) {
  if (slot.state == State::kRunning) {
    slot.condemn(failed(FailureClass::kCrash, "protocol: " + what));
  } else {
    slot.start_problem = "protocol: " + what;
    slot.withdraw();
  }
  slot.kill();
}

void Runner::check_clock(Slot& slot) {
  const double now = now_s();
  if (slot.kill_at && now >= *slot.kill_at) {
    if (slot.state == State::kRunning) {
      slot.condemn(failed(FailureClass::kCrash,
                          "the worker closed its connection in the middle of the cell"));
    } else if (slot.state == State::kDying) {
      slot.cell_failure->message += "; it ignored SIGTERM and was killed";
    }
    slot.kill();
  } else if (slot.time_limit && now >= *slot.time_limit) {
    slot.time_limit.reset();
    if (slot.state == State::kStarting) {
      slot.start_problem = "it said nothing for " + seconds_text(options_.hello_timeout_s);
      slot.kill();
    } else if (slot.state == State::kRunning) {
      slot.condemn(failed(FailureClass::kTimeout,
                          "no result after " + seconds_text(*timeout_of(plan_[slot.cell]))));
      slot.process->signal(SIGTERM);
      slot.kill_at = now + options_.term_grace_s;
    }
  } else if (!slot.kill_at && slot.process->socket_fd() < 0 && slot.state != State::kDying) {
    slot.kill_at = now + kAfterEofS;
    if (slot.state == State::kIdle) slot.withdraw();
  }
}

// ---- the loop ----

void Runner::wait() {
  crew_.wait(kTickMs / 1000.0);
  for (Slot& slot : crew_.slots()) {
    if (slot.process) service(slot);
  }
  progress_.tick();
  if (options_.tick) options_.tick();
}

void Runner::look_for_stop_request() {
  if (options_.stop == nullptr || options_.stop->level() <= stop_) return;
  stop_ = options_.stop->level();
  if (stop_ == StopLevel::kDrain) {
    progress_.notice(draining_text(crew_.count(State::kRunning) + crew_.count(State::kDying)));
  } else {
    progress_.notice("stopping at once: running cells are abandoned");
  }
}

void Runner::stop_now() {
  for (Slot& slot : crew_.slots()) {
    if (slot.process) slot.process->signal(SIGKILL);
  }
  for (Slot& slot : crew_.slots()) {
    if (slot.has_cell()) {
      fail_cell(
          slot,
          slot.cell_failure.value_or(failed(FailureClass::kInterrupted, "the run was stopped")));
    }
    slot.clear();
  }
}

void Runner::stop_idle_workers() {
  for (Slot& slot : crew_.slots()) {
    if (slot.state == State::kIdle) slot.stop(options_.term_grace_s);
    if (slot.state == State::kStarting) {
      slot.state = State::kStopping;
      slot.kill();
    }
  }
  while (crew_.is_any(State::kStopping)) {
    look_for_stop_request();
    if (stop_ == StopLevel::kNow) return;  // the destructors kill what is left
    wait();
  }
}

Recorder::~Recorder() = default;

RunSummary run_cells(const std::vector<Cell>& plan,
                     const StoredCells& stored,
                     const RunOptions& options,
                     Recorder& recorder,
                     Progress& progress) {
  // The destructor of the runner kills the workers, whichever way this is left.
  return Runner(plan, stored, options, recorder, progress).run();
}

}  // namespace unmask::run
