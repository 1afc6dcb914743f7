#include "cli/shard_run.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <set>
#include <system_error>
#include <utility>

#include "base/counted.hpp"
#include "plan/frozen_plan.hpp"
#include "plan/shards.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// A folder for temporary files on this machine. Slurm sites that make one per job name it so.
fs::path scratch_folder() {
  for (const char* name : {"SLURM_TMPDIR", "TMPDIR"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "/tmp";
}

class ShardRun {
 public:
  ShardRun(const HostContext& host, ShardOptions options, run::Progress& progress)
      : host_(host),
        options_(std::move(options)),
        progress_(progress),
        folder_(PlanFolder::find(options_.plan)),
        frozen_(plan::read_frozen_plan(folder_.plan())) {
    choose();
    is_scratch_ = !options_.database;
    database_ = is_scratch_ ? scratch_database() : *options_.database;
  }

  int run() {
    if (owned_.empty()) {
      std::cerr << "shard " << name() << " is empty: the plan has fewer groups of cells\n";
      return 0;
    }
    options_.session.database = database_;
    options_.session.manifest = frozen_.study.file;
    options_.session.frozen = frozen_;
    options_.session.chosen = chosen_;
    options_.session.arrive = [this](store::Store& store, const auto& cells) {
      return arrive(store, cells);
    };
    options_.session.tick = [this](store::Store& store) { publish_now_and_then(store); };
    progress_.notice("shard " + name() + " of " + folder_.plan().string() + ": " +
                     base::counted(owned_.size(), "cell") + "; results in " + database_.string());
    last_published_ = Clock::now();
    int code = 0;
    {
      Session session(host_, options_.session, progress_);
      const run::RunSummary summary = session.run();
      publish(session.store());
      code = report(summary);
    }
    remove_scratch();
    return code;
  }

 private:
  std::string name() const {
    return std::to_string(options_.shard.index) + "/" + std::to_string(options_.shard.count);
  }

  // Its own cells, and trainings of other shards that they need.
  void choose() {
    const auto& cells = frozen_.plan.cells;
    if (frozen_.is_split && options_.shard.count < 2) {
      throw UsageError(
          "the plan was split into trainings and evaluations; --shard needs at least "
          "two shards");
    }
    const std::vector<plan::Shard> shards =
        plan::make_shards(cells, frozen_.costs, options_.shard.count, frozen_.is_split);
    if (options_.shard.index > shards.size()) return;
    std::set<std::string> wanted;
    for (const std::size_t place : shards[options_.shard.index - 1].cells) {
      owned_.insert(cells[place].key);
      wanted.insert(cells[place].key);
      for (const std::string& key : cells[place].all_needs()) wanted.insert(key);
    }
    for (const wire::Cell& cell : cells) {
      if (wanted.contains(cell.key)) chosen_.push_back(cell);
    }
  }

  fs::path scratch_database() const {
    const std::string shard = "shard-" + std::to_string(options_.shard.index) + "-of-" +
                              std::to_string(options_.shard.count);
    return scratch_folder() / ("unmask-" + std::to_string(::getuid())) / folder_.plan().stem() /
           shard / "unmask.sqlite";
  }

  std::vector<wire::Cell> arrive(store::Store& store, const std::vector<wire::Cell>& cells) {
    const std::size_t fetched = folder_.fetch(store, cells);
    if (fetched > 0) {
      progress_.notice(base::counted(fetched, "result") + " of earlier tasks " +
                       (fetched == 1 ? "was" : "were") + " taken over");
    }
    const store::DoneCells done = store.lookup(cells);
    std::set<std::string> absent;
    std::vector<wire::Cell> runnable;
    for (const wire::Cell& cell : cells) {
      bool waits = !owned_.contains(cell.key) && !done.contains(cell.key);
      if (waits) absent.insert(cell.key);
      for (const std::string& key : cell.all_needs()) waits = waits || absent.contains(key);
      if (!waits) {
        runnable.push_back(cell);
      } else if (owned_.contains(cell.key)) {
        ++waiting_;
      }
    }
    return runnable;
  }

  void publish_now_and_then(store::Store& store) {
    const std::chrono::duration<double> since = Clock::now() - last_published_;
    if (since.count() >= options_.publish_every_s) publish(store);
  }

  void publish(store::Store& store) {
    const std::string stem = "shard-" + std::to_string(options_.shard.index) + "-of-" +
                             std::to_string(options_.shard.count);
    for (const std::string& problem : folder_.publish(store, stem)) {
      std::cerr << "note: " << problem << "\n";
    }
    last_published_ = Clock::now();
  }

  int report(const run::RunSummary& summary) const {
    std::cerr << "shard " << name() << ": " << base::counted(summary.ran, "cell") << " ran, "
              << summary.hit << (summary.hit == 1 ? " was" : " were") << " there";
    if (summary.failed > 0) std::cerr << ", " << summary.failed << " failed";
    if (summary.skipped > 0) std::cerr << ", " << summary.skipped << " skipped";
    if (waiting_ > 0) std::cerr << ", " << waiting_ << " wait for a training of another shard";
    const std::size_t left = summary.interrupted + summary.not_run;
    if (left > 0) std::cerr << ", " << left << " left";
    std::cerr << "; published in " << folder_.shards().string() << "\n";
    if (summary.drained && left > 0) return kStoppedEarly;
    return static_cast<int>(summary.is_complete() && waiting_ == 0 ? ExitCode::kDone
                                                                   : ExitCode::kCellsFailed);
  }

  // What is published need not fill the disk of a machine that the next task does not see.
  void remove_scratch() const {
    std::error_code ignored;
    if (is_scratch_) fs::remove_all(database_.parent_path(), ignored);
  }

  const HostContext& host_;
  ShardOptions options_;
  run::Progress& progress_;
  PlanFolder folder_;
  plan::FrozenPlan frozen_;
  std::set<std::string> owned_;
  std::vector<wire::Cell> chosen_;
  std::size_t waiting_ = 0;
  bool is_scratch_ = false;
  fs::path database_;
  Clock::time_point last_published_;
};

}  // namespace

int run_shard(const HostContext& host, ShardOptions options, run::Progress& progress) {
  return ShardRun(host, std::move(options), progress).run();
}

}  // namespace unmask::cli
