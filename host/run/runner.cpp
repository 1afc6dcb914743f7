#include "run/runner.hpp"

#include <signal.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "base/frames.hpp"
#include "run/agenda.hpp"
#include "run/complaint.hpp"
#include "run/crew.hpp"
#include "run/ledger.hpp"
#include "run/progress_text.hpp"
#include "run/slot.hpp"
#include "unmask/errors.hpp"
#include "wire/messages.hpp"

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

class Runner {
 public:
  Runner(const std::vector<Cell>& plan,
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
        attempts_(plan.size(), 0) {}

  RunSummary run() {
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
    RunSummary& summary = ledger_.summary();
    summary.hit = agenda_.outline().hit;
    summary.not_run = agenda_.outline().cells() - summary.ran - summary.failed - summary.skipped -
                      summary.interrupted;
    summary.drained = stop_ != StopLevel::kNone;
    summary.wall_s = now_s() - start;
    progress_.run_finished(summary);
    return summary;
  }

 private:
  // ---- cells ----

  void begin_cell(Slot& slot, std::size_t index) {
    const Cell& cell = plan_[index];
    slot.cell = index;
    slot.attempt = recorder_.attempt_started(cell, slot.process->pid(), slot.device);
    slot.state = State::kRunning;
    slot.failed_starts = 0;
    ++slot.cells_begun;
    const auto& checkpoint = agenda_.needs().checkpoint(index);
    if (cell.kind == CellKind::kTrain || checkpoint) slot.holds = checkpoint.value_or(index);
    slot.kills_before = options_.memory_kills();
    slot.time_limit.reset();
    if (const auto limit = timeout_of(cell)) slot.time_limit = now_s() + *limit;
    slot.log->begin(cell.key + " " + wire::title(cell));
    slot.process->send(agenda_.order(index));
    progress_.cell_started(crew_.number_of(slot), cell, ++attempts_[index]);
  }

  std::optional<double> timeout_of(const Cell& cell) const {
    return cell.timeout_s ? cell.timeout_s : options_.timeout_s;
  }

  // @param spoilt  a remark that is told later, with what becomes of the worker
  void finish_cell(Slot& slot, const wire::CellResult& result, const std::string& spoilt) {
    const std::size_t index = slot.cell;
    const Cell& cell = plan_[index];
    const Recorded recorded = recorder_.cell_done(slot.attempt, cell, result);
    slot.state = State::kIdle;
    slot.time_limit.reset();
    if (recorded.refusal) {
      fail_cell(slot, failed(FailureClass::kPluginError, *recorded.refusal));
      return;
    }
    ++ledger_.summary().ran;
    progress_.cell_done(crew_.number_of(slot), cell, result);
    for (const std::string& remark : result.remarks) {
      if (remark != spoilt) ledger_.note(wire::title(cell) + ": " + remark);
    }
    policy_.finished(index);
    agenda_.finish(index, result.checkpoint);
    if (!recorded.discarded.empty()) ledger_.run_again(cell, recorded.discarded);
  }

  // Record a failure and decide what follows for the cell. The caller sees to the worker. A cell
  // that is not to blame gets another try for free.
  void fail_cell(Slot& slot, CellFailure failure, bool is_blameless = false) {
    const std::size_t index = slot.cell;
    const Cell& cell = plan_[index];
    failure.log_tail = slot.log->tail();
    failure.log_file = slot.log->file().string();
    failure.plugins = plugins_text(cell);
    if (options_.command_of) failure.command = options_.command_of(cell);
    const bool is_interrupted = failure.failure_class == FailureClass::kInterrupted;
    std::optional<Wish> wish;
    if (may_begin_cells()) {
      wish = is_blameless ? Wish::kFreshWorker : policy_.failed(index, failure.failure_class);
    }
    if (!wish && !is_interrupted) {
      if (const auto why = policy_.gave_up(index, failure.failure_class)) {
        failure.message += "; " + *why;
      }
    }
    recorder_.cell_failed(slot.attempt, cell, failure, wish.has_value());
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

  bool may_begin_cells() const { return stop_ == StopLevel::kNone && !policy_.is_enough(); }

  bool is_over() const {
    return !crew_.has_cells() && (!may_begin_cells() || agenda_.ready().size() == 0);
  }

  void hand_out() {
    if (!may_begin_cells()) return;
    ReadyCells& ready = agenda_.ready();
    if (ready.shareable() == 0) {
      if (ready.size() > 0 && !crew_.has_cells()) hand_out_alone();
      return;
    }
    for (Slot& slot : crew_.slots()) {
      if (slot.state != State::kIdle) continue;
      const auto cell = ready.take({slot.cells_begun == 0, slot.holds, crew_.slots().size()},
                                   [&](std::size_t training) { return crew_.is_held(training); });
      if (cell) begin_cell(slot, *cell);
    }
    std::size_t starting = crew_.count(State::kStarting);
    for (Slot& slot : crew_.slots()) {
      if (slot.state == State::kEmpty && starting < ready.shareable()) {
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

  // A cell that ran out of memory runs in a fresh worker that shares the machine with no other.
  void hand_out_alone() {
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
      begin_cell(slot, agenda_.ready().take_alone());
    }
  }

  void protocol_error(Slot& slot, const std::string& what) {
    if (slot.state == State::kRunning) {
      slot.condemn(failed(FailureClass::kCrash, "protocol: " + what));
    } else {
      slot.start_problem = "protocol: " + what;
      slot.withdraw();
    }
    slot.kill();
  }

  // ---- what workers say ----

  void service(Slot& slot) {
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

  void handle_frames(Slot& slot) {
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

  void handle(Slot& slot, const wire::Hello& hello) {
    if (slot.state != State::kStarting) throw base::FrameError("a second hello");
    slot.state = State::kIdle;
    slot.device = hello.device;
    slot.time_limit.reset();
    progress_.worker_started(crew_.number_of(slot), slot.process->pid(), hello.device);
  }

  void handle(Slot& slot, const wire::CellProgress& m) {
    require_cell(slot, m.key);
    progress_.cell_progress(crew_.number_of(slot), plan_[slot.cell], m.done, m.total, m.note);
  }

  void handle(Slot& slot, const wire::Result& m) {
    if (slot.state != State::kRunning) throw base::FrameError("a result that nobody asked for");
    std::optional<std::string> wrong;
    if (m.key != plan_[slot.cell].key) {
      wrong = "the result is of another cell, " + m.key;
    } else {
      wrong = complaint(plan_[slot.cell], m.result);
    }
    if (!wrong) {
      wire::CellResult result = m.result;
      if (!m.spoilt.empty()) result.remarks.push_back(m.spoilt);
      finish_cell(slot, result, m.spoilt);
      settle_worker(slot, m.spoilt);
      return;
    }
    fail_and_recycle(slot, failed(FailureClass::kInvalid, *wrong));
  }

  void handle(Slot& slot, const wire::Failure& m) {
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

  void require_cell(const Slot& slot, const std::string& key) const {
    if (slot.state != State::kRunning)
      throw base::FrameError("a message about a cell while it has none");
    if (key != plan_[slot.cell].key) throw base::FrameError("a message about another cell, " + key);
  }

  void fail_and_recycle(Slot& slot, CellFailure failure) {
    fail_cell(slot, std::move(failure));
    slot.state = State::kStopping;
    slot.kill();
  }

  // A cell has ended in an orderly way. A worker that it left in another state than it found it in,
  // and one that has grown or served long enough, is replaced: the next cell must not feel that.
  void settle_worker(Slot& slot, const std::string& spoilt) {
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

  void handle_exit(Slot& slot, const base::ExitStatus& status) {
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

  void check_clock(Slot& slot) {
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

  void wait() {
    crew_.wait(kTickMs / 1000.0);
    for (Slot& slot : crew_.slots()) {
      if (slot.process) service(slot);
    }
    progress_.tick();
    if (options_.tick) options_.tick();
  }

  void look_for_stop_request() {
    if (options_.stop == nullptr || options_.stop->level() <= stop_) return;
    stop_ = options_.stop->level();
    if (stop_ == StopLevel::kDrain) {
      progress_.notice(draining_text(crew_.count(State::kRunning) + crew_.count(State::kDying)));
    } else {
      progress_.notice("stopping at once: running cells are abandoned");
    }
  }

  void stop_now() {
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

  void stop_idle_workers() {
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

  const std::vector<Cell>& plan_;
  const RunOptions& options_;
  Recorder& recorder_;
  Progress& progress_;

  Agenda agenda_;
  Crew crew_;
  FailurePolicy policy_;
  Ledger ledger_;
  std::vector<int> attempts_;

  StopLevel stop_ = StopLevel::kNone;
};

}  // namespace

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
