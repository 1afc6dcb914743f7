#include "run/runner.hpp"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <variant>

#include "base/frames.hpp"
#include "unmask/errors.hpp"
#include "wire/messages.hpp"

namespace unmask::run {
namespace {

using wire::Cell;
using wire::CellFailure;
using wire::CellKind;

/// Seconds on a clock that no change of the date moves.
double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The loop looks around at least this often: stop requests, time limits, workers that died while
// something else kept their socket open.
constexpr int kTickMs = 100;

// A worker that closed its socket has ended, or is about to.
constexpr double kAfterEofS = 1;

// A worker that cannot start is tried this many times in a row.
constexpr int kStartTries = 2;

std::string seconds_text(double seconds) {
  std::string text = std::to_string(seconds);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

// "exited with code 0", "was killed by signal 9 (Killed)".
std::string past_tense(const base::ExitStatus& status) {
  return (status.signal ? "was " : "") + base::describe(status);
}

enum class State {
  kEmpty,     ///< no process
  kStarting,  ///< started, has not said hello
  kIdle,      ///< waits for a cell
  kRunning,   ///< has a cell
  kDying,     ///< has a cell whose failure is known; its process is being killed
  kStopping   ///< has no cell and is on its way out
};

// A place for one worker process after the other.
struct Slot {
  State state = State::kEmpty;
  std::unique_ptr<WorkerLog> log;  // outlives the process that writes to it
  std::unique_ptr<WorkerProcess> process;
  std::string device;
  std::size_t cells_begun = 0;       // by this process
  std::optional<std::size_t> holds;  // train cell whose checkpoint it has loaded
  int failed_starts = 0;             // in a row

  std::size_t cell = 0;  // kRunning, kDying
  std::string attempt;
  std::optional<CellFailure> verdict;  // kDying: why

  std::optional<double> time_limit;  // kStarting, kRunning
  std::optional<double> kill_at;     // SIGKILL when it has not ended by then
};

/// Cells that may run now, in the order in which they should.
class Ready {
 public:
  enum class Wish { kAny, kFreshWorker, kAlone };

  explicit Ready(const std::vector<Cell>& plan) : plan_(plan) {}

  void add(std::size_t cell, Wish wish) {
    if (wish == Wish::kFreshWorker) {
      fresh_.insert(cell);
    } else if (wish == Wish::kAlone) {
      alone_.insert(cell);
    } else if (plan_[cell].kind == CellKind::kTrain) {
      trainings_.insert(cell);
    } else {
      by_checkpoint_[plan_[cell].needs].insert(cell);
      ++n_evaluations_;
    }
  }

  /// Cells that need not run alone.
  std::size_t shareable() const { return fresh_.size() + trainings_.size() + n_evaluations_; }
  std::size_t size() const { return shareable() + alone_.size(); }

  /// Take the cell that suits this worker best: retries for a new one; trainings, because
  /// evaluations wait for them; evaluations of the checkpoint that it holds; of one that no other
  /// worker holds; the first in the plan's order.
  std::optional<std::size_t> take(const Slot& slot, const std::vector<Slot>& slots) {
    if (slot.cells_begun == 0 && !fresh_.empty()) return take_first(fresh_);
    if (!trainings_.empty()) return take_first(trainings_);
    if (by_checkpoint_.empty()) return std::nullopt;
    auto group = slot.holds ? by_checkpoint_.find(slot.holds) : by_checkpoint_.end();
    if (group == by_checkpoint_.end()) {
      group = std::find_if(by_checkpoint_.begin(), by_checkpoint_.end(), [&](const auto& entry) {
        return std::none_of(slots.begin(), slots.end(), [&](const Slot& other) {
          return other.holds && other.holds == entry.first;
        });
      });
    }
    if (group == by_checkpoint_.end()) group = by_checkpoint_.begin();
    const std::size_t cell = take_first(group->second);
    if (group->second.empty()) by_checkpoint_.erase(group);
    --n_evaluations_;
    return cell;
  }

  std::size_t take_alone() { return take_first(alone_); }

 private:
  static std::size_t take_first(std::set<std::size_t>& cells) {
    return cells.extract(cells.begin()).value();
  }

  const std::vector<Cell>& plan_;
  std::set<std::size_t> fresh_, alone_, trainings_;
  std::map<std::optional<std::size_t>, std::set<std::size_t>> by_checkpoint_;
  std::size_t n_evaluations_ = 0;
};

class Runner {
 public:
  Runner(const std::vector<Cell>& plan,
         const std::map<std::string, std::optional<wire::CheckpointFile>>& done,
         const RunOptions& options,
         Recorder& recorder,
         Progress& progress)
      : plan_(plan),
        options_(options),
        recorder_(recorder),
        progress_(progress),
        ready_(plan),
        dependants_(plan.size()),
        waits_for_(plan.size(), 0),
        is_skipped_(plan.size(), false),
        checkpoints_(plan.size()),
        attempts_(plan.size(), 0) {
    UNMASK_CHECK(options.workers >= 1, "a run needs at least one worker");
    UNMASK_CHECK(options.worker_command != nullptr, "a run needs a command for its workers");
    set_up_cells(done);
  }

  RunSummary run() {
    const double start = now_s();
    outline_.workers = options_.workers;
    progress_.run_started(outline_);
    slots_.resize(static_cast<std::size_t>(options_.workers));
    while (!is_over()) {
      look_for_stop_request();
      if (stop_ == StopLevel::kNow) {
        stop_now();
        break;
      }
      hand_out();
      wait();
    }
    stop_idle_workers();
    summary_.not_run =
        n_to_run_ - summary_.ran - summary_.failed - summary_.skipped - summary_.interrupted;
    summary_.drained = stop_ != StopLevel::kNone;
    summary_.wall_s = now_s() - start;
    progress_.run_finished(summary_);
    return summary_;
  }

 private:
  // ---- cells ----

  void set_up_cells(const std::map<std::string, std::optional<wire::CheckpointFile>>& done) {
    std::unordered_map<std::string_view, std::size_t> keys;
    std::vector<bool> is_done(plan_.size(), false);
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      UNMASK_CHECK(keys.emplace(plan_[i].key, i).second,
                   "two cells of a plan have the key " + plan_[i].key);
      const auto found = done.find(plan_[i].key);
      if (found == done.end()) continue;
      is_done[i] = true;
      checkpoints_[i] = found->second;
      ++outline_.hit;
    }
    summary_.hit = outline_.hit;
    n_to_run_ = plan_.size() - outline_.hit;
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      if (is_done[i]) continue;
      ++outline_.to_run.at(static_cast<std::size_t>(plan_[i].kind));
      for (const std::size_t needs : plan_[i].all_needs()) {
        UNMASK_CHECK(needs < plan_.size() && plan_[needs].kind == CellKind::kTrain,
                     "cell " + plan_[i].key + " needs something else than a training");
        UNMASK_CHECK(!is_done[needs] || checkpoints_[needs].has_value(),
                     "the training " + plan_[needs].key + " is done but has no checkpoint");
        if (is_done[needs]) continue;
        dependants_[needs].push_back(i);
        ++waits_for_[i];
      }
      if (waits_for_[i] == 0) ready_.add(i, Ready::Wish::kAny);
    }
  }

  void begin_cell(Slot& slot, std::size_t index) {
    const Cell& cell = plan_[index];
    slot.cell = index;
    slot.attempt = recorder_.attempt_started(cell, slot.process->pid(), slot.device);
    slot.state = State::kRunning;
    slot.failed_starts = 0;
    ++slot.cells_begun;
    if (cell.kind == CellKind::kTrain || cell.needs) {
      slot.holds = cell.kind == CellKind::kTrain ? index : *cell.needs;
    }
    slot.time_limit.reset();
    if (options_.timeout_s) slot.time_limit = now_s() + *options_.timeout_s;
    slot.log->begin(cell.key + " " + wire::title(cell));

    wire::Execute message{
        cell.key, cell.kind, cell.spec, cell.locals, std::nullopt, std::nullopt, false};
    if (cell.needs) message.checkpoint = checkpoints_[*cell.needs];
    if (cell.needs_source) message.source = checkpoints_[*cell.needs_source];
    message.keep_adversarials = cell.keeps_adversarials;
    slot.process->send(message);
    progress_.cell_started(number_of(slot), cell, ++attempts_[index]);
  }

  void finish_cell(Slot& slot, const wire::CellResult& result) {
    const std::size_t index = slot.cell;
    const Cell& cell = plan_[index];
    recorder_.cell_done(slot.attempt, cell, result);
    ++summary_.ran;
    slot.state = State::kIdle;
    slot.time_limit.reset();
    progress_.cell_done(number_of(slot), cell, result);
    checkpoints_[index] = result.checkpoint;
    for (const std::size_t dependant : dependants_[index]) {
      if (--waits_for_[dependant] == 0 && !is_skipped_[dependant]) {
        ready_.add(dependant, Ready::Wish::kAny);
      }
    }
  }

  // Record a failure and decide what follows for the cell. The caller sees to the worker. A cell
  // that is not to blame gets another try for free.
  void fail_cell(Slot& slot, CellFailure failure, bool is_blameless = false) {
    const std::size_t index = slot.cell;
    const Cell& cell = plan_[index];
    failure.log_tail = slot.log->tail();
    const auto wish = is_blameless && may_begin_cells() ? std::optional(Ready::Wish::kFreshWorker)
                                                        : retry(index, failure.failure_class);
    recorder_.cell_failed(slot.attempt, cell, failure, wish.has_value());
    progress_.cell_failed(number_of(slot), cell, failure, wish.has_value());
    if (failure.failure_class == wire::FailureClass::kInterrupted) {
      ++summary_.interrupted;
    } else if (wish) {
      ready_.add(index, *wish);
    } else {
      ++summary_.failed;
      if (options_.fail_fast && !is_failing_fast_) {
        is_failing_fast_ = true;
        progress_.notice("a cell failed: no further cell begins");
      }
      skip_dependants(index, failure);
    }
  }

  // Whether the cell gets another try after a failure of this class, and what kind of worker for
  // it.
  std::optional<Ready::Wish> retry(std::size_t index, wire::FailureClass failure_class) {
    if (!may_begin_cells()) return std::nullopt;
    int& tried = retries_[{index, failure_class}];
    if (tried >= wire::retries_of(failure_class, options_.crash_retries)) return std::nullopt;
    ++tried;
    return wire::rule_of(failure_class).retries_alone ? Ready::Wish::kAlone
                                                      : Ready::Wish::kFreshWorker;
  }

  void skip_dependants(std::size_t index, const CellFailure& failure) {
    for (const std::size_t dependant : dependants_[index]) {
      if (is_skipped_[dependant]) continue;  // another training that it needs failed before
      is_skipped_[dependant] = true;
      const std::string reason =
          std::string(plan_[dependant].needs == index ? "its training" : "its source") +
          " failed (" + wire::to_string(failure.failure_class) + "): " + failure.message;
      recorder_.cell_skipped(plan_[dependant], reason);
      progress_.cell_skipped(plan_[dependant], reason);
      ++summary_.skipped;
    }
  }

  // ---- handing out ----

  bool may_begin_cells() const { return stop_ == StopLevel::kNone && !is_failing_fast_; }

  bool is_any(State state) const {
    return std::any_of(
        slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.state == state; });
  }

  bool has_running_cells() const { return is_any(State::kRunning) || is_any(State::kDying); }

  bool is_over() const {
    return !has_running_cells() && (!may_begin_cells() || ready_.size() == 0);
  }

  void hand_out() {
    if (!may_begin_cells()) return;
    if (ready_.shareable() == 0) {
      if (ready_.size() > 0 && !has_running_cells()) hand_out_alone();
      return;
    }
    for (Slot& slot : slots_) {
      if (slot.state != State::kIdle) continue;
      if (const auto cell = ready_.take(slot, slots_)) begin_cell(slot, *cell);
    }
    auto starting =
        static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) {
          return slot.state == State::kStarting;
        }));
    for (Slot& slot : slots_) {
      if (slot.state == State::kEmpty && starting < ready_.shareable()) {
        start_worker(slot);
        ++starting;
      }
    }
    // What is left wants a fresh worker. One comes when a slot becomes empty; see that one does.
    const auto idle = std::find_if(
        slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.state == State::kIdle; });
    if (ready_.shareable() > 0 && starting == 0 && !is_any(State::kStopping) &&
        idle != slots_.end()) {
      stop_worker(*idle);
    }
  }

  // A cell that ran out of memory runs in a fresh worker that shares the machine with no other.
  void hand_out_alone() {
    bool is_clear = true;
    for (Slot& slot : slots_) {
      if (slot.state == State::kIdle && slot.cells_begun == 0 && &slot == &slots_.front()) continue;
      if (slot.state == State::kIdle) stop_worker(slot);
      is_clear = is_clear && slot.state == State::kEmpty;
    }
    Slot& slot = slots_.front();
    if (!is_clear) return;
    if (slot.state == State::kEmpty) {
      start_worker(slot);
    } else {
      begin_cell(slot, ready_.take_alone());
    }
  }

  // ---- workers ----

  int number_of(const Slot& slot) const { return static_cast<int>(&slot - slots_.data()); }

  void start_worker(Slot& slot) {
    const int number = number_of(slot);
    if (!slot.log) {
      std::filesystem::path file;
      if (!options_.log_folder.empty()) {
        std::error_code error;
        std::filesystem::create_directories(options_.log_folder, error);
        if (error) {
          throw DataError("cannot make the folder " + options_.log_folder.string() + ": " +
                          error.message());
        }
        file = options_.log_folder / ("worker-" + std::to_string(number) + ".log");
      }
      slot.log = std::make_unique<WorkerLog>(file, options_.log_limit_bytes);
    }
    slot.log->begin("worker " + std::to_string(number) + " starts");
    slot.cells_begun = 0;
    slot.holds.reset();
    slot.kill_at.reset();
    try {
      slot.process = std::make_unique<WorkerProcess>(options_.worker_command(number), *slot.log);
    } catch (const InternalError& error) {
      start_failed(slot, error.what(), {});
      return;
    }
    slot.state = State::kStarting;
    slot.time_limit = now_s() + options_.hello_timeout_s;
  }

  // The process is gone, or never was.
  void start_failed(Slot& slot, const std::string& what, const base::ExitStatus& status) {
    clear(slot);
    if (++slot.failed_starts < kStartTries) return;
    std::string text = "worker " + std::to_string(number_of(slot)) + " does not start, tried " +
                       std::to_string(kStartTries) + " times: " + what;
    const std::string tail = slot.log->tail();
    if (!tail.empty()) text += "; its last lines:\n" + tail;
    if (status.exit_code == static_cast<int>(ExitCode::kPlugin)) throw PluginError(text);
    throw InternalError(text);
  }

  static void clear(Slot& slot) {
    slot.process.reset();
    slot.state = State::kEmpty;
    slot.holds.reset();
    slot.verdict.reset();
    slot.time_limit.reset();
    slot.kill_at.reset();
  }

  void stop_worker(Slot& slot) {
    slot.process->send(wire::Stop{});
    slot.state = State::kStopping;
    slot.time_limit.reset();
    slot.kill_at = now_s() + options_.term_grace_s;
  }

  void kill_worker(Slot& slot) {
    slot.process->signal(SIGKILL);
    slot.kill_at.reset();
    slot.time_limit.reset();
  }

  // The cell of this worker has failed, and the worker cannot be trusted with another one.
  void condemn(Slot& slot, CellFailure verdict) {
    slot.verdict = std::move(verdict);
    slot.state = State::kDying;
  }

  // An idle worker gets no cell any more. One that never had any counts as one that does not start:
  // otherwise a command that greets and leaves would be started for ever.
  static void withdraw(Slot& slot) {
    slot.state = slot.cells_begun == 0 ? State::kStarting : State::kStopping;
  }

  void protocol_error(Slot& slot, const std::string& what) {
    if (slot.state == State::kRunning) {
      CellFailure failure;
      failure.failure_class = wire::FailureClass::kCrash;
      failure.message = "protocol: " + what;
      condemn(slot, std::move(failure));
    } else {
      slot.verdict = CellFailure{};
      slot.verdict->message = "protocol: " + what;
      withdraw(slot);
    }
    kill_worker(slot);
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
    while (!slot.verdict && slot.state != State::kStopping) {
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
    progress_.worker_started(number_of(slot), slot.process->pid(), hello.device);
  }

  void handle(Slot& slot, const wire::CellProgress& m) {
    require_cell(slot, m.key);
    progress_.cell_progress(number_of(slot), plan_[slot.cell], m.done, m.total, m.note);
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
      finish_cell(slot, m.result);
      return;
    }
    CellFailure failure;
    failure.failure_class = wire::FailureClass::kInvalid;
    failure.message = *wrong;
    fail_and_recycle(slot, std::move(failure));
  }

  void handle(Slot& slot, const wire::Failure& m) {
    require_cell(slot, m.key);
    CellFailure failure;
    failure.failure_class = m.failure_class;
    failure.message = m.message;
    if (m.failure_class == wire::FailureClass::kPluginError) {
      // The worker caught it in an orderly way and can go on.
      fail_cell(slot, std::move(failure));
      slot.state = State::kIdle;
      slot.time_limit.reset();
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
    kill_worker(slot);
  }

  // ---- ends ----

  void handle_exit(Slot& slot, const base::ExitStatus& status) {
    const State state = slot.state;
    if (state == State::kRunning) {
      CellFailure failure;
      failure.failure_class = wire::FailureClass::kCrash;
      failure.message = "the worker " + past_tense(status) + " in the middle of the cell";
      if (slot.process->is_truncated()) failure.message += "; its last message is truncated";
      failure.signal = status.signal;
      failure.exit_code = status.exit_code;
      // A worker may fall over what an earlier cell left behind before it even reads the next one.
      // That cannot repeat itself for ever: the next try is the first cell of its worker.
      const bool is_blameless = slot.process->left_messages_unread() && slot.cells_begun > 1;
      if (is_blameless) failure.message += ", before it had read it";
      fail_cell(slot, std::move(failure), is_blameless);
    } else if (state == State::kDying) {
      fail_cell(slot, *slot.verdict);
    } else if (state == State::kStarting || (state == State::kIdle && slot.cells_begun == 0)) {
      const std::string what =
          slot.verdict
              ? slot.verdict->message
              : "it " + past_tense(status) +
                    (state == State::kStarting ? " before it was ready" : " before its first cell");
      start_failed(slot, what, slot.verdict ? base::ExitStatus{} : status);
      return;
    }
    clear(slot);
  }

  void check_clock(Slot& slot) {
    const double now = now_s();
    if (slot.kill_at && now >= *slot.kill_at) {
      if (slot.state == State::kRunning) {
        CellFailure failure;
        failure.failure_class = wire::FailureClass::kCrash;
        failure.message = "the worker closed its connection in the middle of the cell";
        condemn(slot, std::move(failure));
      } else if (slot.state == State::kDying) {
        slot.verdict->message += "; it ignored SIGTERM and was killed";
      }
      kill_worker(slot);
    } else if (slot.time_limit && now >= *slot.time_limit) {
      slot.time_limit.reset();
      if (slot.state == State::kStarting) {
        slot.verdict = CellFailure{};
        slot.verdict->message = "it said nothing for " + seconds_text(options_.hello_timeout_s);
        kill_worker(slot);
      } else if (slot.state == State::kRunning) {
        CellFailure failure;
        failure.failure_class = wire::FailureClass::kTimeout;
        failure.message = "no result after " + seconds_text(*options_.timeout_s);
        condemn(slot, std::move(failure));
        slot.process->signal(SIGTERM);
        slot.kill_at = now + options_.term_grace_s;
      }
    } else if (!slot.kill_at && slot.process->socket_fd() < 0 && slot.state != State::kDying) {
      slot.kill_at = now + kAfterEofS;
      if (slot.state == State::kIdle) withdraw(slot);
    }
  }

  // ---- the loop ----

  void wait() {
    std::vector<pollfd> entries;
    for (const Slot& slot : slots_) {
      if (!slot.process) continue;
      const int socket = slot.process->socket_fd();
      const auto events =
          static_cast<short>(POLLIN | (slot.process->wants_to_write() ? POLLOUT : 0));
      if (socket >= 0) entries.push_back({socket, events, 0});
      if (slot.process->output_fd() >= 0) entries.push_back({slot.process->output_fd(), POLLIN, 0});
    }
    double next = now_s() + kTickMs / 1000.0;
    for (const Slot& slot : slots_) {
      if (slot.time_limit) next = std::min(next, *slot.time_limit);
      if (slot.kill_at) next = std::min(next, *slot.kill_at);
      // Its socket is closed and its end is moments away, but nothing will wake the poll.
      if (slot.process && slot.process->socket_fd() < 0) next = std::min(next, now_s() + 0.002);
    }
    const double left = std::max(0.0, next - now_s());
    ::poll(entries.data(), entries.size(), static_cast<int>(std::ceil(left * 1000)));
    for (Slot& slot : slots_) {
      if (slot.process) service(slot);
    }
    progress_.tick();
  }

  void look_for_stop_request() {
    if (options_.stop == nullptr || options_.stop->level() <= stop_) return;
    stop_ = options_.stop->level();
    if (stop_ == StopLevel::kDrain) {
      const auto running = std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) {
        return slot.state == State::kRunning || slot.state == State::kDying;
      });
      progress_.notice("stopping: " + std::to_string(running) +
                       " running cells finish, no other begins; Ctrl-C again stops at once");
    } else {
      progress_.notice("stopping at once: running cells are abandoned");
    }
  }

  void stop_now() {
    for (Slot& slot : slots_) {
      if (slot.process) slot.process->signal(SIGKILL);
    }
    for (Slot& slot : slots_) {
      const bool has_cell = slot.state == State::kRunning || slot.state == State::kDying;
      if (has_cell) {
        CellFailure failure;
        failure.failure_class = wire::FailureClass::kInterrupted;
        failure.message = "the run was stopped";
        fail_cell(slot, slot.verdict.value_or(failure));
      }
      clear(slot);
    }
  }

  void stop_idle_workers() {
    for (Slot& slot : slots_) {
      if (slot.state == State::kIdle) stop_worker(slot);
      if (slot.state == State::kStarting) {
        slot.state = State::kStopping;
        kill_worker(slot);
      }
    }
    while (is_any(State::kStopping)) {
      look_for_stop_request();
      if (stop_ == StopLevel::kNow) return;  // the destructors kill what is left
      wait();
    }
  }

  const std::vector<Cell>& plan_;
  const RunOptions& options_;
  Recorder& recorder_;
  Progress& progress_;

  Ready ready_;
  std::vector<std::vector<std::size_t>> dependants_;  // of train cells: who waits for them
  std::vector<std::size_t> waits_for_;  // of other cells: how many trainings are missing
  std::vector<bool> is_skipped_;
  std::vector<std::optional<wire::CheckpointFile>> checkpoints_;
  std::vector<int> attempts_;
  std::map<std::pair<std::size_t, wire::FailureClass>, int> retries_;  // of a cell, used up

  std::vector<Slot> slots_;
  StopLevel stop_ = StopLevel::kNone;
  bool is_failing_fast_ = false;
  std::size_t n_to_run_ = 0;
  RunOutline outline_;
  RunSummary summary_;
};

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

Recorder::~Recorder() = default;

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

RunSummary run_cells(const std::vector<Cell>& plan,
                     const std::map<std::string, std::optional<wire::CheckpointFile>>& done,
                     const RunOptions& options,
                     Recorder& recorder,
                     Progress& progress) {
  // The destructor of the runner kills the workers, whichever way this is left.
  return Runner(plan, done, options, recorder, progress).run();
}

std::optional<std::string> complaint(const Cell& cell, const wire::CellResult& result) {
  const auto is_count = [](double value) { return std::isfinite(value) && value >= 0; };
  if (cell.kind == CellKind::kTrain) {
    if (!result.checkpoint) return "a training yielded no checkpoint";
    const auto& checkpoint = *result.checkpoint;
    const bool is_hash =
        checkpoint.sha256.size() == 64 &&
        checkpoint.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!is_hash || checkpoint.bytes <= 0 || checkpoint.path.empty()) {
      return "a training yielded a checkpoint without a hash, a size or a path";
    }
  } else if (cell.kind == CellKind::kAttack && result.outcomes.empty()) {
    return "an attack yielded no outcomes";
  } else if (cell.kind == CellKind::kProbe && result.metrics.empty() &&
             result.sample_metrics.empty()) {
    return "a probe yielded no metrics";
  }

  std::set<std::int64_t> samples;
  for (const wire::SampleOutcome& o : result.outcomes) {
    const std::string where = "the outcome of sample " + std::to_string(o.sample) + " ";
    if (o.sample < 0) return where + "has a negative index";
    if (!samples.insert(o.sample).second) return where + "is given twice";
    if (o.label < 0) return where + "has a negative label";
    if (o.clean_prediction < 0 || o.prediction < 0) {
      return where + "has no class as prediction: logits were not finite";
    }
    if (!is_count(o.distance)) {
      return where + "has the distance " + std::to_string(o.distance) +
             ", which is not a finite number >= 0";
    }
    if (o.queries < 0) return where + "has a negative number of queries";
  }
  for (const wire::Metric& m : result.metrics) {
    const bool is_accuracy = m.name == "accuracy" || m.name.ends_with("_accuracy");
    if (is_accuracy && !(m.value >= 0 && m.value <= 1)) {
      return "the metric " + m.name + " is " + std::to_string(m.value) + ", outside of [0, 1]";
    }
  }
  if (!is_count(result.wall_s)) return "the time of the cell is not a finite number >= 0";
  return std::nullopt;
}

}  // namespace unmask::run
