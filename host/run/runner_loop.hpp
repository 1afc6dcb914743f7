#pragma once
// The loop behind run_cells(), for the files that implement it: runner.cpp hands out cells and looks
// at the clock, runner_messages.cpp hears what workers say and how they end, runner_parts.cpp divides
// cells.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "run/agenda.hpp"
#include "run/crew.hpp"
#include "run/divided_cells.hpp"
#include "run/failure_policy.hpp"
#include "run/ledger.hpp"
#include "run/runner.hpp"
#include "run/slot.hpp"
#include "wire/messages.hpp"

namespace unmask::run {

class Runner {
 public:
  Runner(const std::vector<wire::Cell>& plan,
         const StoredCells& stored,
         const RunOptions& options,
         Recorder& recorder,
         Progress& progress);
  RunSummary run();

 private:
  // ---- cells ----
  // Begin it, or join those that have.
  void begin_cell(Slot& slot, std::size_t index);
  // What the slot's worker is to do of its cell now.
  void send_order(Slot& slot);
  std::optional<double> timeout_of(const wire::Cell& cell) const;
  // @param spoilt  a remark that is told later, with what becomes of the worker
  void finish_cell(Slot& slot, const wire::CellResult& result, const std::string& spoilt);
  // Record a failure and decide what follows for the cell. The caller sees to the worker. A cell
  // that is not to blame gets another try for free.
  void fail_cell(Slot& slot, wire::CellFailure failure, bool is_blameless = false);

  // ---- parts of cells ----
  // The slot's worker does nothing for its cell any more.
  void turn_from(Slot& slot);
  // A part has come that is not the last one.
  void finish_part(Slot& slot, const wire::CellPart& part, const std::string& spoilt);
  // Who goes on with a cell of which a part is done.
  void go_on(Slot& slot, std::size_t index, bool is_alone);
  // The last part has come: all of them are the result.
  void finish_last_part(Slot& slot, const wire::CellPart& part, const std::string& spoilt);
  // Cells of which parts are done and that no worker has any more, when a run ends before them.
  void end_what_waits();
  bool may_help(std::size_t index) const { return running_.contains(index) && !is_alone_; }
  // Workers that no cell is left for help with those that others have begun.
  void share_out();

  // ---- handing out ----
  bool may_begin_cells() const { return stop_ == StopLevel::kNone && !policy_.is_enough(); }
  bool is_over() const;
  void hand_out();
  // A cell that ran out of memory runs in a fresh worker that shares the machine with no other.
  void hand_out_alone();
  void protocol_error(Slot& slot, const std::string& what);

  // ---- what workers say ----
  void service(Slot& slot);
  void handle_frames(Slot& slot);
  void handle(Slot& slot, const wire::Hello& hello);
  void handle(Slot& slot, const wire::CellProgress& m);
  void handle(Slot& slot, const wire::Result& m);
  void finish_result(Slot& slot, wire::CellResult result, const std::string& spoilt);
  void handle(Slot& slot, const wire::Part& m);
  void handle(Slot& slot, const wire::Failure& m);
  void require_cell(const Slot& slot, const std::string& key) const;
  void fail_and_recycle(Slot& slot, wire::CellFailure failure);
  // A cell has ended in an orderly way. A worker that it left in another state than it found it in,
  // and one that has grown or served long enough, is replaced: the next cell must not feel that.
  void settle_worker(Slot& slot, const std::string& spoilt);

  // ---- ends ----
  void handle_exit(Slot& slot, const base::ExitStatus& status);
  void check_clock(Slot& slot);

  // ---- the loop ----
  void wait();
  void look_for_stop_request();
  void stop_now();
  void stop_idle_workers();

  const std::vector<wire::Cell>& plan_;
  const RunOptions& options_;
  Recorder& recorder_;
  Progress& progress_;

  Agenda agenda_;
  Crew crew_;
  FailurePolicy policy_;
  Ledger ledger_;
  DividedCells divided_;
  std::vector<int> attempts_;

  // A try at a cell, by one worker or several.
  struct Running {
    std::string attempt;
    double spent_s = 0;  // on parts that are done
  };
  std::map<std::size_t, Running> running_;
  bool is_alone_ = false;  // the running cell shares the machine with no other

  StopLevel stop_ = StopLevel::kNone;
};

}  // namespace unmask::run
