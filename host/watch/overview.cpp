#include "watch/overview.hpp"

#include <algorithm>

#include "run/progress.hpp"
#include "store/result_folders.hpp"
#include "unmask/errors.hpp"
#include "watch/writer.hpp"

namespace unmask::watch {
namespace {

RunState state_of(const store::WatchedRun& run) {
  if (run.state == "ended") return RunState::kEnded;
  if (run.state == "interrupted") return RunState::kInterrupted;
  switch (look_for_writer(run.pid, run.host, seconds_of(run.started_at))) {
    case Writer::kAlive: return RunState::kRunning;
    case Writer::kElsewhere: return RunState::kElsewhere;
    case Writer::kGone: break;
  }
  return RunState::kGone;
}

// The database says which cells run, the run how far they are.
void add_workers(Overview& overview, const std::vector<store::RunningCell>& running) {
  for (const store::RunningCell& cell : running) {
    run::LiveWorker worker;
    const auto& known = overview.live.workers;
    const auto found = std::find_if(known.begin(), known.end(), [&](const run::LiveWorker& one) {
      return one.key == cell.key && one.pid == cell.pid;
    });
    if (found != known.end()) worker = *found;
    worker.pid = cell.pid;
    worker.device = cell.device;
    worker.key = cell.key;
    worker.title = cell.title;
    worker.attempt = static_cast<int>(cell.attempt);
    overview.workers.push_back(std::move(worker));
    overview.started_at.push_back(seconds_of(cell.started_at));
  }
}

}  // namespace

const char* to_string(RunState state) {
  switch (state) {
    case RunState::kRunning: return "running";
    case RunState::kEnded: return "ended";
    case RunState::kInterrupted: return "interrupted";
    case RunState::kGone: return "gone";
    case RunState::kElsewhere: return "elsewhere";
  }
  throw InternalError("a run state without a name");
}

int Overview::exit_code() const {
  if (state == RunState::kEnded) return run.exit_code.value_or(1);
  return counts.to_do() == counts.ran ? 0 : 1;
}

std::optional<Overview> look(const store::Store& store, const std::string& study) {
  const store::OneMoment moment(store);
  const std::vector<store::WatchedRun> runs = store::watched_runs(store);
  const auto run = study.empty()
                       ? runs.begin()
                       : std::find_if(runs.begin(), runs.end(), [&](const store::WatchedRun& one) {
                           return one.study == study;
                         });
  if (run == runs.end()) return std::nullopt;
  Overview overview;
  overview.run = *run;
  overview.state = state_of(*run);
  overview.kinds = store::count_cells(store, *run);
  overview.counts = store::count_run(store, *run);
  const store::ResultFolders folders = store::ResultFolders::of(store.file());
  if (auto live =
          run::read_live_state(run::live_file(folders.logs / ("run-" + std::to_string(run->id))))) {
    overview.live = std::move(*live);
  }
  if (overview.is_over()) return overview;
  add_workers(overview, store::running_cells(store, *run));
  return overview;
}

std::string status_line(const Overview& overview) {
  store::KindCount sum;
  for (const store::KindCount& kind : overview.kinds) {
    sum.cells += kind.cells;
    sum.done += kind.done;
    sum.running += kind.running;
    sum.failed += kind.failed;
  }
  std::string line = std::to_string(sum.done) + "/" + std::to_string(sum.cells) + " cells";
  if (sum.failed > 0) line += ", " + std::to_string(sum.failed) + " failed";
  if (overview.counts.skipped > 0) {
    line += ", " + std::to_string(overview.counts.skipped) + " skipped";
  }
  if (!overview.is_over() && sum.running > 0) {
    line += ", " + std::to_string(sum.running) + " running";
  }
  if (!overview.is_over() && !overview.live.time_left.empty()) {
    line += ", " + overview.live.time_left + " left";
  }
  return line;
}

}  // namespace unmask::watch
