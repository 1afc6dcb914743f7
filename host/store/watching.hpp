#pragma once
// What somebody who watches a study wants to know, typed, while another process writes it: how far
// its latest run is, which cells run, what failed, and the numbers so far. Only reads.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/store.hpp"
#include "wire/cell.hpp"

namespace unmask::store {

/// The latest run of a study that got as far as a plan.
struct WatchedRun {
  std::string study;
  std::string description;
  std::string manifest;  ///< the file that it was first read from
  std::int64_t id = 0;
  std::string state;                 ///< "running" also when its process died without a word
  std::optional<int> exit_code;      ///< once it ended
  std::string started_at, ended_at;  ///< UTC, "2026-01-31T12:00:00.000Z"; empty: not yet
  std::int64_t pid = 0;              ///< of the process that writes
  std::string host;                  ///< the machine's name; empty when it is not recorded
  std::string tool;                  ///< version of unmask
};

/// Of every study, the one that ran last first.
std::vector<WatchedRun> watched_runs(const Store& store);

/// Cells of one kind. What the study has, and of that what its latest run has still to do.
struct KindCount {
  std::int64_t cells = 0, done = 0, running = 0, failed = 0;
  std::int64_t ahead = 0;  ///< the run is to execute them, or is at it
  std::int64_t missing() const { return cells - done - running - failed; }
};

/// By wire::CellKind.
using KindCounts = std::array<KindCount, 3>;
KindCounts count_cells(const Store& store, const WatchedRun& run);

/// What became of the cells that the run asked for.
struct RunCount {
  std::int64_t hit = 0, ran = 0, failed = 0, skipped = 0, planned = 0;
  std::int64_t to_do() const { return ran + failed + skipped + planned; }
  std::int64_t settled() const { return ran + failed + skipped; }
};
RunCount count_run(const Store& store, const WatchedRun& run);

/// A try at a cell that has not ended, as far as the database knows.
struct RunningCell {
  std::string key;
  std::string title;
  std::int64_t attempt = 0;
  std::string started_at;
  std::int64_t pid = 0;  ///< of the worker
  std::string device;
};
std::vector<RunningCell> running_cells(const Store& store, const WatchedRun& run);

/// A try at a cell that failed in this run, or the failure that a cell without a result had before.
struct FailedTry {
  std::string key;
  std::string title;
  std::string kind;          ///< "train", "attack", "probe"
  std::int64_t attempt = 0;  ///< 1 for the first
  std::string failure_class;
  std::string message;
  std::string log_tail;
  std::string ended_at;
  std::string state;  ///< of the cell now: "done", "running", "failed", ...
};

/// The latest first, at most `limit`.
std::vector<FailedTry> failed_tries(const Store& store, const WatchedRun& run, std::size_t limit);
std::int64_t count_failed_tries(const Store& store, const WatchedRun& run);

/// Accuracy under one attack; the attack "none" is clean accuracy.
struct AttackAccuracy {
  std::string network;  ///< "model/dataset/objective/solver seed 0 under solver"
  std::string attack;   ///< with gradient, source and seed where they are not the plain ones
  std::string norm;     ///< empty while unknown
  std::string epsilon_text;
  double epsilon = 0;
  std::int64_t n = 0;
  double clean = 0, robust = 0, lower = 0, upper = 0;  ///< fractions; the ends of the 95 % interval
};

/// In the order of the plan, at most `limit`.
std::vector<AttackAccuracy> accuracies(const Store& store,
                                       const WatchedRun& run,
                                       std::size_t limit);

/// One curve of a training that has its result. A value may be NaN or infinite.
struct TrainingCurve {
  std::string key;
  std::string title;
  std::string name;  ///< "train_loss"
  std::vector<std::pair<std::int64_t, double>>
      points;  ///< step and value, at most `points` of them
};

/// Of at most `limit` trainings, those that ended last.
/// @param points  longer curves keep every n-th step, and the last one
std::vector<TrainingCurve> training_curves(const Store& store,
                                           const WatchedRun& run,
                                           std::size_t limit,
                                           std::size_t points);

/// What was judged: the network, the judgement, the sentence.
struct WatchedVerdict {
  std::string network, judgement, threat, sentence;
};
std::vector<WatchedVerdict> watched_verdicts(const Store& store,
                                             const WatchedRun& run,
                                             std::size_t limit);

/// Another number after every commit of another connection to the file.
std::int64_t data_version(const Store& store);

/// While it lives, everything that is read is of one moment.
class OneMoment {
 public:
  explicit OneMoment(const Store& store);
  ~OneMoment();
  OneMoment(const OneMoment&) = delete;
  OneMoment& operator=(const OneMoment&) = delete;

 private:
  Database& database_;
};

}  // namespace unmask::store
