#include "cli/session.hpp"

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <map>
#include <thread>
#include <utility>

#include "base/counted.hpp"
#include "base/left_behind.hpp"
#include "cli/cell_filter.hpp"
#include "cli/command_line.hpp"
#include "cli/cost.hpp"
#include "cli/lost_results.hpp"
#include "cli/machine.hpp"
#include "cli/store_recorder.hpp"
#include "run/live_state.hpp"
#include "store/writer_busy.hpp"
#include "text/shell_words.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

// How often a run that waits for another one looks whether it has ended.
constexpr std::chrono::milliseconds kAskAgain{200};

// How long a finished result waits for a database that somebody locks, or for room on the disk.
constexpr std::chrono::minutes kPatience{10};

}  // namespace

Session::Session(const HostContext& host, SessionOptions options, run::Progress& progress)
    : host_(host), options_(std::move(options)), progress_(progress) {}

run::RunSummary Session::run() {
  // At once: describing plugins and reading data may take seconds.
  if (!options_.frozen) progress_.notice("reading " + options_.manifest.string());
  plan();
  const run::StopSignals signals(stop_);
  open();
  if (options_.arrive) some_ = options_.arrive(*store_, cells());
  reconcile();
  const std::int64_t id = record();
  run::RunSummary summary = execute(id);
  store_->end_run(
      id, static_cast<int>(summary.is_complete() ? ExitCode::kDone : ExitCode::kCellsFailed));
  return summary;
}

void Session::plan() {
  folders_ = store::ResultFolders::of(options_.database);
  planned_ = options_.frozen ? thaw(*options_.frozen, host_) : plan_study(options_.manifest, host_);
  execution_ = decide_execution(
      options_.device, options_.workers, planned_.study.run, planned_.catalog.cuda_devices);
  if (host_.kernels() == Kernels::kPortable) {
    const std::string problem =
        not_portable(planned_.preparation.environment.value("kernels", std::string()));
    if (!problem.empty()) progress_.notice(problem);
  }
  if (options_.cuda_graphs && execution_.devices.front() == "cpu") {
    throw UsageError("--cuda-graphs needs a CUDA device; this run would be on the CPU");
  }
  if (options_.frozen) {
    some_ = options_.chosen;
  } else if (!options_.only.empty()) {
    some_ = filter_cells(planned_.plan.cells, options_.only);
  }
  for (const wire::Cell& cell : cells()) {
    const auto problem = planned_.plan.dataset_problems.find(cell.labels.dataset);
    if (problem == planned_.plan.dataset_problems.end()) continue;
    throw DataError("data set \"" + problem->first + "\" of " + options_.manifest.string() +
                    " cannot be used: " + problem->second);
  }
}

void Session::open() {
  for (bool is_told = false;; is_told = true) {
    try {
      store_.emplace(store::Store::open_writer(folders_.database));
      break;
    } catch (const store::WriterBusy& busy) {
      if (!options_.waits) throw;
      if (!is_told) progress_.notice("waiting: " + busy.situation());
    }
    std::this_thread::sleep_for(kAskAgain);
    if (stop_.level() != run::StopLevel::kNone) {
      throw Error(ExitCode::kCellsFailed, "stopped while waiting for the database; nothing ran");
    }
  }
  // A result that cost hours is not given up for a lock or a full disk that may pass.
  store_->set_patience({.limit = kPatience,
                        .tell = [this](const std::string& text) { progress_.notice(text); },
                        .gives_up = [this] { return stop_.level() == run::StopLevel::kNow; }});
}

void Session::reconcile() {
  const std::vector<LostResult> lost = find_lost_results(*store_, cells(), folders_);
  std::cerr << to_text(lost);
  for (const LostResult& item : lost) {
    store_->discard_result(
        item.key,
        (item.is_training ? "checkpoint file " : "its adversarial images: file ") + item.problem);
  }
}

std::int64_t Session::record() {
  store::RunInfo info;
  info.argv = options_.argv;
  info.environment = describe_machine();
  info.environment.update(planned_.preparation.environment);
  info.environment["execution"] = execution_.text();
  info.environment["kernels_choice"] = to_string(host_.kernels());
  const GitState git = options_.frozen
                           ? GitState{options_.frozen->git_commit, options_.frozen->git_dirty}
                           : git_state(options_.manifest.parent_path());
  info.git_commit = git.commit;
  info.git_dirty = git.dirty;
  const std::int64_t id = store_->begin_run(planned_.study, info);
  store_->register_plan(id, planned_.catalog, planned_.plan.cells, cells());

  remove_abandoned_files(folders_);
  const Adopted adopted = adopt_finished_trainings(*store_, id, cells(), folders_);
  if (adopted.trainings > 0) {
    progress_.notice(base::counted(adopted.trainings, "finished training") +
                     " had not been recorded; " +
                     (adopted.trainings == 1 ? "it is now" : "they are now"));
  }
  if (!adopted.discarded.empty()) {
    const std::size_t count = adopted.discarded.size();
    progress_.notice(base::counted(count, "stored result") + " of other weights" +
                     (count == 1 ? " was discarded" : " were discarded"));
  }
  return id;
}

// As many digits as nobody else in the plan shares: keys are hashes, twelve are enough by far.
std::string Session::exec_command(const wire::Cell& cell) const {
  std::vector<std::string> argv = {
      "unmask", "exec", options_.manifest.string(), "--cell", cell.key.substr(0, 12)};
  if (options_.database != kDefaultDatabase) {
    argv.insert(argv.end(), {"--db", options_.database.string()});
  }
  for (const std::string& folder : options_.plugin_dirs) {
    argv.insert(argv.end(), {"--plugin-dir", folder});
  }
  if (host_.kernels() != default_kernels(this_processor())) {
    argv.insert(argv.end(), {"--kernels", to_string(host_.kernels())});
  }
  if (execution_.devices.front() != "cpu") {
    argv.insert(argv.end(), {"--device", execution_.devices.front()});
  }
  return words::shell_command(argv) + " [--in-process]";
}

// Of a frozen plan those that were known when it was frozen: a task's own database begins empty.
std::vector<run::CellCost> Session::costs() const {
  const Precedents precedents(*store_, execution_.devices.front());
  std::vector<run::CellCost> costs = costs_of_cells(cells(), precedents);
  if (!options_.frozen || options_.frozen->costs.size() != planned_.plan.cells.size()) return costs;
  std::map<std::string, double> frozen;
  for (std::size_t i = 0; i < planned_.plan.cells.size(); ++i) {
    frozen[planned_.plan.cells[i].key] = options_.frozen->costs[i];
  }
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (!costs[i].is_recorded) costs[i].seconds = frozen.at(cells()[i].key);
  }
  return costs;
}

run::RunSummary Session::execute(std::int64_t id) {
  run::RunOptions options;
  options.workers = static_cast<int>(execution_.devices.size());
  if (execution_.by_memory) options.devices = execution_.devices;
  options.worker_command = [&](int slot) {
    return host_.worker_command(execution_.devices[static_cast<std::size_t>(slot)],
                                execution_.threads,
                                options_.cuda_graphs,
                                folders_.checkpoints);
  };
  options.timeout_s = planned_.study.run.timeout_s;
  options.failures.retries = planned_.study.run.retries;
  for (const auto& [failure_class, count] : options_.retries) {
    options.failures.retries[failure_class] = count;
  }
  options.failures.max_failures = options_.max_failures;
  if (planned_.study.run.fail_fast || options_.fail_fast) options.failures.max_failures = 1;
  if (options_.recycle_after) options.recycle_after = *options_.recycle_after;
  if (options_.part_s) options.part_s = *options_.part_s;
  options.command_of = [&](const wire::Cell& cell) { return exec_command(cell); };
  options.stop = &stop_;
  options.hopeless = planned_.plan.hopeless;
  options.log_folder = folders_.logs / ("run-" + std::to_string(id));
  if (options_.tick) options.tick = [this] { options_.tick(*store_); };
  StoreRecorder recorder(*store_, id, folders_);
  base::LeftBehind& strays = host_.left_behind();
  strays.end_all();
  // The first process of a container inherits from everybody, so what is a plugin's only shows at
  // the end, when all of them end with it.
  if (::getpid() != 1) {
    options.worker_ended = [&](const std::vector<pid_t>& others) { strays.end_all(others); };
  }
  const auto progress = run::make_live_progress(progress_, run::live_file(options.log_folder));
  const store::DoneCells done = store_->lookup(cells());
  if (done.size() < cells().size()) options.costs = costs();
  run::RunSummary summary = run::run_cells(cells(), done, options, recorder, *progress);
  strays.end_all();
  remove_abandoned_files(folders_);
  if (const std::size_t count = strays.count(); count > 0) {
    summary.notes.push_back(base::counted(count, "process", "processes") +
                            " that plugins had left running " +
                            (count == 1 ? "was ended" : "were ended"));
    progress_.notice(summary.notes.back());
  }
  return summary;
}

}  // namespace unmask::cli
