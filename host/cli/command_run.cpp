// unmask run: run what is missing of a manifest and record it.

#include <iostream>
#include <set>

#include "cli/cell_filter.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/execution.hpp"
#include "cli/host_context.hpp"
#include "cli/load_study.hpp"
#include "cli/machine.hpp"
#include "run/progress.hpp"
#include "run/runner.hpp"
#include "store/queries.hpp"
#include "store/store.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

// Writes what happens to the store, at once.
class StoreRecorder final : public run::Recorder {
 public:
  StoreRecorder(store::Store& store, std::int64_t run) : store_(store), run_(run) {}

  std::string attempt_started(const wire::Cell& cell, int pid, const std::string& device) override {
    return store_.begin_attempt(run_, cell.key, pid, device);
  }
  void cell_done(const std::string& attempt,
                 const wire::Cell&,
                 const wire::CellResult& result) override {
    store_.commit_result(attempt, result);
  }
  void cell_failed(const std::string& attempt,
                   const wire::Cell&,
                   const wire::CellFailure& failure,
                   bool) override {
    store_.fail_attempt(attempt, failure);
  }
  void cell_skipped(const wire::Cell& cell, const std::string& reason) override {
    store_.skip_cell(run_, cell.key, reason);
  }

 private:
  store::Store& store_;
  std::int64_t run_;
};

// "" when the file is what it was when it was written.
std::string problem_of(const fs::path& file, const wire::ResultFile& written) {
  if (!fs::exists(file)) return "is missing";
  return sha256_file(file) == written.sha256 ? "" : "is damaged (its hash differs)";
}

// A stored training is only as good as its file: trainings whose checkpoint is missing or damaged
// count as not done, and are trained again.
void discard_lost_checkpoints(store::Store& store,
                              const std::vector<wire::Cell>& cells,
                              const fs::path& folder) {
  for (const auto& [key, checkpoint] : store.lookup(cells)) {
    if (!checkpoint) continue;
    const fs::path file = folder / checkpoint->path;
    const std::string problem = problem_of(file, *checkpoint);
    if (problem.empty()) continue;
    std::cerr << "note: checkpoint " << file.string() << " " << problem
              << "; it will be trained again\n";
    store.discard_result(key, "checkpoint file " + problem);
  }
}

// Likewise for cells whose images are to be kept: those without the file are attacked again, with
// the same numbers.
void discard_cells_without_images(store::Store& store,
                                  const std::vector<wire::Cell>& cells,
                                  const fs::path& folder) {
  const auto kept = store.adversarials(cells);
  std::size_t count = 0;
  for (const wire::Cell& cell : cells) {
    if (!cell.keeps_adversarials) continue;
    const auto found = kept.find(cell.key);
    const std::string problem = found == kept.end()
                                    ? "were not kept"
                                    : problem_of(folder / found->second.path, found->second);
    if (problem.empty()) continue;
    if (store.discard_result(cell.key, "its adversarial images: file " + problem)) ++count;
  }
  if (count > 0) {
    std::cerr << "note: " << count
              << " stored attacks have no file of adversarial images; they will run again\n";
  }
}

int exit_code_of(const run::RunSummary& summary) {
  return static_cast<int>(summary.is_complete() ? ExitCode::kDone : ExitCode::kCellsFailed);
}

// Study names what to do when something could not be done.
void print_summary(const run::RunSummary& summary,
                   const std::string& manifest,
                   const fs::path& database) {
  std::cerr << summary.ran << " cells ran, " << summary.hit << " were stored";
  if (summary.failed > 0) std::cerr << ", " << summary.failed << " failed";
  if (summary.skipped > 0) std::cerr << ", " << summary.skipped << " skipped";
  if (summary.interrupted + summary.not_run > 0) {
    std::cerr << ", " << summary.interrupted + summary.not_run << " left";
  }
  std::cerr << " (" << run::duration_text(summary.wall_s) << "); results in " << database.string()
            << "\n";
  if (summary.failed > 0) {
    std::cerr << "what failed and why: unmask query failures --db " << database.string() << "\n";
  }
  if (summary.interrupted + summary.not_run > 0) {
    std::cerr << "to go on: unmask run " << manifest << " --db " << database.string() << "\n";
  }
}

// A network that ends with a softmax looks robust where it is only saturated. Trainings that were
// stored before count too: whoever reads the results must hear of it.
void warn_of_probabilities(const store::Store& store, const std::vector<wire::Cell>& cells) {
  const table::Table found =
      store::run_query(store,
                       "SELECT c.key FROM metric m JOIN cell c ON c.id = m.cell_id "
                       "WHERE m.name = 'output_is_probability' AND m.value = 1");
  std::set<std::string> keys;
  for (const auto& row : found.rows) keys.insert(std::get<std::string>(row.front()));
  std::set<std::string> models;
  for (const wire::Cell& cell : cells) {
    if (cell.kind == wire::CellKind::kTrain && keys.contains(cell.key)) {
      models.insert(cell.labels.model);
    }
  }
  for (const std::string& model : models) {
    std::cerr << "warning: the model \"" << model
              << "\" answers with probabilities. Attacks take its answers for logits, so their "
                 "losses pass a\n  second softmax and lose their gradients: the model looks more "
                 "robust than it is. Let it end before its\n  softmax, or, for torchscript, set "
                 "\"output\": \"softmax\".\n";
  }
}

}  // namespace

int command_run(const Arguments& arguments) {
  CommandLine line(
      "run MANIFEST [options]",
      "Runs the cells of a manifest that are not stored yet and records each as soon as it is "
      "finished.\nKill it at any time; the same command again runs exactly what is missing. "
      "Ctrl-C once lets running\ncells finish, twice stops at once.");
  line.positional("manifest", "the manifest");
  line.options().add_options()("device",
                               po::value<std::string>()->default_value("auto"),
                               "auto, cpu, cuda (all devices) or cuda:N")(
      "workers",
      po::value<int>(),
      "worker processes; default: one per processor, or per CUDA device")(
      "only",
      po::value<std::vector<std::string>>()->composing(),
      "run only matching cells and what they need, e.g. attack=pgd*,model=resnet; may be repeated")(
      "fail-fast", "begin no further cell after a failure")(
      "cuda-graphs",
      "record passes under fixed or replayed steps as CUDA graphs; needs a CUDA device")(
      "progress",
      po::value<std::string>()->default_value("auto"),
      "auto, terminal, plain, json or none");
  line.add_database();
  line.add_plugin_dir();
  if (!line.parse(arguments)) return 0;
  const std::string file = line.required("manifest");
  const auto progress =
      run::make_progress(run::parse_progress_mode(line.get<std::string>("progress")));

  const HostContext host(line.plugin_dirs());
  const PlannedStudy planned = plan_study(file, host);
  if (!planned.plan.dataset_problems.empty()) {
    const auto& [name, problem] = *planned.plan.dataset_problems.begin();
    throw DataError("data set \"" + name + "\" of " + file + " cannot be used: " + problem);
  }
  const Execution execution = decide_execution(line.get<std::string>("device"),
                                               line.find<int>("workers"),
                                               planned.study.run,
                                               planned.catalog.cuda_devices);
  if (line.has("cuda-graphs") && execution.devices.front() == "cpu") {
    throw UsageError("--cuda-graphs needs a CUDA device; this run would be on the CPU");
  }
  const std::vector<wire::Cell> cells = filter_cells(
      planned.plan.cells,
      line.find<std::vector<std::string>>("only").value_or(std::vector<std::string>{}));

  const fs::path database = line.database();
  const fs::path folder = fs::absolute(database).parent_path();
  const fs::path checkpoints = folder / "checkpoints";
  store::Store store = store::Store::open_writer(database);
  discard_lost_checkpoints(store, cells, checkpoints);
  discard_cells_without_images(store, cells, folder / "adversarials");

  store::RunInfo info;
  info.argv = arguments;
  info.argv.insert(info.argv.begin(), {"unmask", "run"});
  info.environment = describe_machine();
  info.environment.update(planned.preparation.environment);
  info.environment["execution"] = execution.text();
  const GitState git = git_state(fs::path(file).parent_path());
  info.git_commit = git.commit;
  info.git_dirty = git.dirty;
  const std::int64_t run = store.begin_run(planned.study, info);
  store.register_cells(run, planned.catalog, cells);

  run::StopRequest stop;
  const run::StopSignals signals(stop);
  run::RunOptions options;
  options.workers = static_cast<int>(execution.devices.size());
  options.worker_command = [&](int slot) {
    return host.worker_command(execution.devices[static_cast<std::size_t>(slot)],
                               execution.threads,
                               line.has("cuda-graphs"),
                               checkpoints);
  };
  options.timeout_s = planned.study.run.timeout_s;
  options.crash_retries = planned.study.run.crash_retries;
  options.fail_fast = planned.study.run.fail_fast || line.has("fail-fast");
  options.stop = &stop;
  options.log_folder = folder / "logs";
  StoreRecorder recorder(store, run);
  const run::RunSummary summary =
      run::run_cells(cells, store.lookup(cells), options, recorder, *progress);
  const int code = exit_code_of(summary);
  store.end_run(run, code);
  warn_of_probabilities(store, cells);
  print_summary(summary, file, database);
  return code;
}

}  // namespace unmask::cli
