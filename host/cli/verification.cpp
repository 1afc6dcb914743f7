#include "cli/verification.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <variant>

#include "base/counted.hpp"
#include "base/files.hpp"
#include "cli/cell_filter.hpp"
#include "cli/command_line.hpp"
#include "cli/execution.hpp"
#include "cli/load_study.hpp"
#include "cli/lost_results.hpp"
#include "cli/machine.hpp"
#include "run/runner.hpp"
#include "store/queries.hpp"
#include "store/result_folders.hpp"
#include "text/shell_words.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;

// Compares instead of storing.
class ComparingRecorder final : public run::Recorder {
 public:
  ComparingRecorder(store::Store& store, const VerifyOptions& options, VerifyReport& report)
      : store_(store), options_(options), report_(report), comparer_(store) {
    for (VerifiedCell& one : report.cells) by_key_[one.cell.key] = &one;
  }

  std::string attempt_started(const wire::Cell& cell, int, const std::string& device) override {
    devices_[cell.key] = device;
    return cell.key;
  }

  run::Recorded cell_done(const std::string&,
                          const wire::Cell& cell,
                          const wire::CellResult& result) override {
    store::VerificationRecord record{cell.key, devices_[cell.key], {}, std::nullopt};
    try {
      record.comparison = comparer_.compare(cell.key, result);
    } catch (const store::RefusedResult& error) {
      record.failure = error.what();
    }
    keep(std::move(record));
    return {};
  }

  void cell_failed(const std::string&,
                   const wire::Cell& cell,
                   const wire::CellFailure& failure,
                   bool will_retry) override {
    if (will_retry || failure.failure_class == wire::FailureClass::kInterrupted) return;
    keep({cell.key,
          devices_[cell.key],
          {},
          std::string(wire::to_string(failure.failure_class)) + ": " + failure.message});
  }

  void cell_skipped(const wire::Cell& cell, const std::string& reason) override {
    by_key_.at(cell.key)->obstacle = reason;
  }

 private:
  void keep(store::VerificationRecord record) {
    if (options_.records) store_.record_verification(record, report_.environment);
    by_key_.at(record.key)->record = std::move(record);
  }

  store::Store& store_;
  const VerifyOptions& options_;
  VerifyReport& report_;
  store::ResultComparer comparer_;
  std::map<std::string, VerifiedCell*> by_key_;
  std::map<std::string, std::string> devices_;
};

// What manifests say of stored cells: where their files are, what they need.
struct KnownCells {
  std::vector<wire::Cell> cells;                 // each key once
  std::map<std::string, std::size_t> index;      // of `cells`, by key
  std::map<std::string, std::string> obstacles;  // by key
  std::map<std::string, fs::path> manifest_of;   // by key
  nlohmann::json environment;
  int cuda_devices = 0;
};

std::vector<fs::path> manifests_of(const store::Store& store, VerifyReport& report) {
  std::vector<fs::path> files;
  const table::Table answer = store::run_query(store,
                                               "SELECT DISTINCT m.file FROM current_run r JOIN "
                                               "manifest m ON m.id = r.manifest_id ORDER BY 1");
  for (const auto& row : answer.rows) {
    const fs::path file = std::get<std::string>(row.front());
    if (fs::is_regular_file(file)) {
      files.push_back(file);
    } else {
      report.notes.push_back("the manifest " + file.string() +
                             " is not there any more: name it with --manifest to execute cells of "
                             "its study again");
    }
  }
  return files;
}

void add_study(KnownCells& known, const fs::path& manifest, const HostContext& host) {
  const PlannedStudy planned = plan_study(manifest, host);
  known.environment = planned.preparation.environment;
  known.cuda_devices = planned.catalog.cuda_devices;
  for (wire::Cell cell : planned.plan.cells) {
    if (known.index.contains(cell.key)) continue;
    const auto problem = planned.plan.dataset_problems.find(cell.labels.dataset);
    if (problem != planned.plan.dataset_problems.end()) {
      known.obstacles[cell.key] = "data set \"" + problem->first + "\": " + problem->second;
    }
    const auto hopeless = planned.plan.hopeless.find(cell.key);
    if (hopeless != planned.plan.hopeless.end()) known.obstacles[cell.key] = hopeless->second;
    if (!cell.timeout_s) cell.timeout_s = planned.study.run.timeout_s;
    // Files of images stay as they are; the numbers do not depend on them.
    cell.keeps_adversarials = false;
    known.manifest_of[cell.key] = manifest;
    known.index[cell.key] = known.cells.size();
    known.cells.push_back(std::move(cell));
  }
}

int threads_of(const wire::Cell& cell) {
  return cell.spec.value("threads", 1);
}

class Verifier {
 public:
  Verifier(const HostContext& host,
           store::Store& store,
           const VerifyOptions& options,
           run::Progress& progress)
      : host_(host),
        store_(store),
        options_(options),
        progress_(progress),
        folders_(store::ResultFolders::of(options.database)) {}

  VerifyReport verify() {
    learn();
    choose();
    find_obstacles();
    const run::StopSignals signals(stop_);
    ComparingRecorder recorder(store_, options_, report_);
    for (const bool trainings : {false, true}) {
      std::map<int, std::vector<wire::Cell>> by_threads;
      for (const VerifiedCell& one : report_.cells) {
        if (one.obstacle || (one.cell.kind == wire::CellKind::kTrain) != trainings) continue;
        by_threads[threads_of(one.cell)].push_back(one.cell);
      }
      for (const auto& [threads, cells] : by_threads) execute(cells, threads, trainings, recorder);
    }
    for (VerifiedCell& one : report_.cells) {
      if (!one.record && !one.obstacle) one.obstacle = "the verification was stopped before";
    }
    compare_arithmetic();
    return std::move(report_);
  }

 private:
  void learn() {
    const auto manifests =
        options_.manifests.empty() ? manifests_of(store_, report_) : options_.manifests;
    for (const fs::path& manifest : manifests) add_study(known_, manifest, host_);
    if (known_.cells.empty()) {
      std::string text =
          "no manifest tells how to execute the cells of " + options_.database.string() + " again";
      for (const std::string& note : report_.notes) text += "\n" + note;
      throw UsageError(text);
    }
    report_.environment = describe_machine();
    report_.environment.update(known_.environment);
    report_.environment["kernels_choice"] = to_string(host_.kernels());
  }

  void choose() {
    const store::DoneCells done = store_.stored();
    std::vector<wire::Cell> stored;
    for (const wire::Cell& cell : matching_cells(known_.cells, options_.filters)) {
      if (!done.contains(cell.key)) continue;
      if (cell.kind == wire::CellKind::kTrain && !options_.trainings) continue;
      stored.push_back(cell);
    }
    if (stored.empty()) {
      throw UsageError(
          std::string("nothing to execute again: no stored ") +
          (options_.trainings ? "cell" : "attack or probe (--trainings has trainings)") +
          (options_.filters.empty() ? "" : " fits the filters"));
    }
    const auto unknown =
        static_cast<std::size_t>(std::count_if(done.begin(), done.end(), [&](const auto& one) {
          return !known_.index.contains(one.first);
        }));
    if (unknown > 0) {
      report_.notes.push_back(base::counted(unknown, "stored cell") +
                              (unknown == 1 ? " is" : " are") +
                              " not in these manifests as they and their plugins are now, and "
                              "cannot be executed again");
    }
    for (wire::Cell& cell : choose_cells(stored, options_.sample, options_.seed)) {
      store::StoredOrigin origin = store::origin_of(store_, cell.key).value();
      report_.cells.push_back({std::move(cell), std::move(origin), std::nullopt, std::nullopt});
    }
  }

  std::vector<wire::Cell> trainings_of(const std::vector<wire::Cell>& cells) const {
    std::set<std::string> keys;
    for (const wire::Cell& cell : cells) {
      for (const std::string& key : cell.all_needs()) keys.insert(key);
    }
    std::vector<wire::Cell> trainings;
    trainings.reserve(keys.size());
    for (const std::string& key : keys) trainings.push_back(known_.cells[known_.index.at(key)]);
    return trainings;
  }

  // What cannot be executed as it was: nothing stands in for it.
  void find_obstacles() {
    std::vector<wire::Cell> evaluations;
    for (const VerifiedCell& one : report_.cells) {
      if (one.cell.kind != wire::CellKind::kTrain) evaluations.push_back(one.cell);
    }
    const std::vector<wire::Cell> trainings = trainings_of(evaluations);
    const store::DoneCells done = store_.lookup(trainings);
    std::map<std::string, std::string> lost;
    for (const wire::Cell& training : trainings) {
      if (!done.contains(training.key)) lost[training.key] = "is not stored";
    }
    for (const LostResult& item : find_lost_results(store_, trainings, folders_)) {
      lost[item.key] = item.file + " " + item.problem;
    }
    for (VerifiedCell& one : report_.cells) {
      const auto known = known_.obstacles.find(one.cell.key);
      if (known != known_.obstacles.end()) one.obstacle = known->second;
      for (const std::string& key : one.cell.all_needs()) {
        const auto found = lost.find(key);
        if (found == lost.end()) continue;
        one.obstacle = "the checkpoint of " + wire::title(known_.cells[known_.index.at(key)]) +
                       ": " + found->second;
      }
    }
  }

  void execute(const std::vector<wire::Cell>& cells,
               int threads,
               bool trainings,
               ComparingRecorder& recorder) {
    if (stop_.level() != run::StopLevel::kNone) return;
    manifest::RunSettings settings;
    settings.threads = threads;
    const Execution execution =
        decide_execution(options_.device, options_.workers, settings, known_.cuda_devices);
    report_.environment["execution"] = execution.text();
    // What a training writes stays away from what is stored, and none goes on from a snapshot.
    const base::TempFolder scratch("unmask-verify-");
    const fs::path checkpoints = trainings ? scratch.path() : folders_.checkpoints;
    run::RunOptions run_options;
    run_options.workers = static_cast<int>(execution.devices.size());
    if (execution.by_memory) run_options.devices = execution.devices;
    run_options.worker_command = [&](int slot) {
      return host_.worker_command(execution.devices[static_cast<std::size_t>(slot)],
                                  execution.threads,
                                  /*cuda_graphs=*/false,
                                  checkpoints);
    };
    run_options.stop = &stop_;
    run_options.log_folder = folders_.logs / "verify";
    run_options.command_of = [&](const wire::Cell& cell) { return exec_command(cell); };
    std::vector<wire::Cell> plan;
    if (!trainings) plan = trainings_of(cells);
    const store::DoneCells stored = store_.lookup(plan);
    plan.insert(plan.end(), cells.begin(), cells.end());
    run::run_cells(plan, stored, run_options, recorder, progress_);
    host_.left_behind().end_all();
  }

  std::string exec_command(const wire::Cell& cell) const {
    std::vector<std::string> argv = {"unmask",
                                     "exec",
                                     known_.manifest_of.at(cell.key).string(),
                                     "--cell",
                                     cell.key.substr(0, 12)};
    if (options_.database != kDefaultDatabase) {
      argv.insert(argv.end(), {"--db", options_.database.string()});
    }
    for (const std::string& folder : options_.plugin_dirs) {
      argv.insert(argv.end(), {"--plugin-dir", folder});
    }
    return words::shell_command(argv) + " [--in-process]";
  }

  // Where others round, other bits are no fault.
  void compare_arithmetic() {
    std::map<std::pair<std::string, std::string>, std::size_t> others;
    for (const VerifiedCell& one : report_.cells) {
      if (!one.record) continue;
      const std::string then = arithmetic_of(one.origin.environment, one.origin.device);
      const std::string now = arithmetic_of(report_.environment, one.record->device);
      if (then != now) ++others[{then, now}];
    }
    for (const auto& [pair, count] : others) {
      report_.notes.push_back(base::counted(count, "stored result") +
                              (count == 1 ? " comes" : " come") +
                              " from other arithmetic, so differences are expected:\n  stored  " +
                              pair.first + "\n  now     " + pair.second);
    }
  }

  const HostContext& host_;
  store::Store& store_;
  const VerifyOptions& options_;
  run::Progress& progress_;
  store::ResultFolders folders_;
  run::StopRequest stop_;
  KnownCells known_;
  VerifyReport report_;
};

std::string member_of(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

table::Value value_or_null(const std::optional<std::string>& text) {
  return text ? table::Value(*text) : table::Value();
}

}  // namespace

std::size_t SampleSize::of(std::size_t total) const {
  const auto wanted =
      count ? *count : static_cast<std::size_t>(std::ceil(share * static_cast<double>(total)));
  return std::min(total, std::max<std::size_t>(1, wanted));
}

SampleSize parse_sample(const std::string& text) {
  const bool is_share = text.ends_with('%');
  const std::string digits = is_share ? text.substr(0, text.size() - 1) : text;
  const bool is_number = !digits.empty() &&
                         digits.find_first_not_of("0123456789.") == std::string::npos &&
                         std::count(digits.begin(), digits.end(), '.') <= (is_share ? 1 : 0) &&
                         digits != "." && digits.size() <= 12;
  const double value = is_number ? std::stod(digits) : 0;
  if (value <= 0 || (is_share && value > 100)) {
    throw UsageError("--sample \"" + text +
                     "\" is neither a share above 0% and up to 100%, nor a number of cells");
  }
  SampleSize size;
  if (is_share) {
    size.share = value / 100;
  } else {
    size.count = static_cast<std::size_t>(value);
  }
  return size;
}

std::vector<wire::Cell> choose_cells(const std::vector<wire::Cell>& cells,
                                     const SampleSize& size,
                                     std::int64_t seed) {
  // Each cell has a number that no other cell has a part in: one cell more changes the choice by one.
  std::vector<std::tuple<std::string, std::size_t>> lots;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    lots.emplace_back(sha256_hex(std::to_string(seed) + " " + cells[i].key), i);
  }
  std::sort(lots.begin(), lots.end());
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < size.of(cells.size()); ++i) chosen.push_back(std::get<1>(lots[i]));
  std::sort(chosen.begin(), chosen.end());
  std::vector<wire::Cell> result;
  std::transform(chosen.begin(), chosen.end(), std::back_inserter(result), [&](std::size_t i) {
    return cells[i];
  });
  return result;
}

std::size_t VerifyReport::count(const std::string& outcome) const {
  return static_cast<std::size_t>(
      std::count_if(cells.begin(), cells.end(), [&](const VerifiedCell& one) {
        return outcome == (one.record ? one.record->outcome() : "");
      }));
}

VerifyReport verify_cells(const HostContext& host,
                          store::Store& store,
                          const VerifyOptions& options,
                          run::Progress& progress) {
  return Verifier(host, store, options, progress).verify();
}

std::string arithmetic_of(const nlohmann::json& environment, const std::string& device) {
  std::string text = "LibTorch " + member_of(environment, "libtorch");
  const std::string kernels = member_of(environment, "kernels");
  const std::string cpu = kernels.empty() ? member_of(environment, "cpu") : kernels;
  const std::string where = device.starts_with("cuda") ? member_of(environment, "gpu") : cpu;
  return text + " on " + (device.starts_with("cuda") ? "cuda" : device) +
         (where.empty() ? "" : ": " + where);
}

table::Table verification_table(const VerifyReport& report, std::size_t most) {
  table::Table table{{"key", "cell", "outcome", "in", "name", "sample", "field", "stored", "now"},
                     {}};
  for (const VerifiedCell& one : report.cells) {
    const std::string outcome = one.record ? one.record->outcome() : "not executed";
    const std::vector<table::Value> head = {
        one.cell.key.substr(0, 12), wire::title(one.cell), outcome};
    const auto row = [&](std::vector<table::Value> rest) {
      rest.insert(rest.begin(), head.begin(), head.end());
      rest.resize(table.columns.size());
      table.rows.push_back(std::move(rest));
    };
    if (outcome != "differs") {
      const auto why = one.record ? one.record->failure : one.obstacle;
      row({value_or_null(why)});
      continue;
    }
    const store::Comparison& comparison = one.record->comparison;
    const std::size_t shown = std::min(most, comparison.differences.size());
    for (std::size_t i = 0; i < shown; ++i) {
      const store::ValueDifference& d = comparison.differences[i];
      row({d.source,
           d.name,
           d.sample ? table::Value(*d.sample) : table::Value(),
           d.field,
           value_or_null(d.stored),
           value_or_null(d.found)});
    }
    if (shown < comparison.count) {
      row({"and " + std::to_string(comparison.count - shown) + " more"});
    }
  }
  return table;
}

}  // namespace unmask::cli
