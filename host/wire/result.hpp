#pragma once
// What executing a cell yields, as plain data: made by the engine, carried in frames, written by
// the store.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "wire/failure_class.hpp"

namespace unmask::wire {

/// What happened to one sample in one attack cell.
struct SampleOutcome {
  std::int64_t sample = 0;  ///< index in the evaluation split
  std::int64_t label = 0;
  std::int64_t clean_prediction = 0;  ///< of the clean image, evaluation solver, canonical batch
  std::int64_t prediction = 0;        ///< of the adversarial image, likewise
  double distance = 0;                ///< ||x_adv - x|| in the threat's norm
  std::int64_t queries = 0;           ///< answers that the attack asked for about this sample
  /// Forward passes behind them, those of other gradient solvers included; -1: not known.
  std::int64_t passes = -1;
  /// False when a solve failed on the sample: it is neither fooled nor robust, and a prediction
  /// that is missing is -1.
  bool is_decided = true;
};

/// A per-sample number of a probe.
struct SampleMetric {
  std::int64_t sample = 0;
  std::string name;
  double value = 0;  ///< may be NaN
};

/// One number of a cell.
struct Metric {
  std::string name;
  double value = 0;               ///< may be NaN: stored as NULL with the flag "nan"
  std::optional<std::int64_t> n;  ///< samples behind it
  std::string reason = "";        ///< why there is no number; empty: there is one
};

/// A curve, e.g. the training loss per epoch.
struct Series {
  std::string name;
  std::vector<double> values;  ///< entry i belongs to step i + 1
};

/// Statistics of all solves with one name in one phase of a cell.
struct SolveStats {
  /// "train", "inner_attack", "validation", "statistics" (running ones, of an average), "evaluate"
  /// (verdicts), "attack" (answers inside the attack), "gradient", "backward" (evaluations of a
  /// backward pass), "record" (steps to be replayed)
  std::string phase;
  std::string solve;  ///< "conv1", "layer2.0", ...
  std::int64_t solves = 0;
  std::int64_t nfe_min = 0;
  double nfe_median = 0;  ///< the mean of the two middle ones of an even number
  std::int64_t nfe_max = 0, nfe_total = 0;
  std::int64_t accepted = 0, rejected = 0;  ///< steps; under control: sample of all samples
  std::int64_t failed = 0;                  ///< solves that did not reach the end time
  std::string worst_status;                 ///< "ok", or the status of a failed solve
  double step_min = 0, step_max = 0;
};

/// Work done in a cell.
struct Counters {
  std::int64_t forwards = 0;   ///< samples passed forward through the network
  std::int64_t backwards = 0;  ///< samples differentiated
  std::int64_t nfe = 0;        ///< vector-field evaluations, each on a batch

  Counters& operator+=(const Counters& more) {
    forwards += more.forwards;
    backwards += more.backwards;
    nfe += more.nfe;
    return *this;
  }
};

/// A file that a cell yields besides its numbers.
struct ResultFile {
  std::string sha256;
  std::int64_t bytes = 0;
  std::string path;  ///< relative to the folder of its kind
};

/// A trained network.
using CheckpointFile = ResultFile;

struct CellResult {
  std::vector<Metric> metrics;
  std::vector<SampleOutcome> outcomes;
  std::vector<SampleMetric> sample_metrics;
  std::vector<Series> series;
  std::vector<SolveStats> solve_stats;
  Counters counters;
  std::optional<CheckpointFile> checkpoint;
  std::optional<ResultFile> adversarials;  ///< images that an attack cell was told to keep
  std::string norm;                        ///< of an attack: "linf", "l2", "l1"; else empty
  std::vector<std::string> remarks;  ///< sentences for the user, e.g. of a plugin that misbehaved
  std::string device;                ///< "cpu", "cuda:0"
  double wall_s = 0;
  std::int64_t peak_bytes = 0;  ///< peak resident memory of the worker
  /// The most memory of the GPU that the worker held, the network included; none on the CPU.
  std::optional<std::int64_t> device_peak_bytes;
  std::map<std::string, std::string> seeds;  ///< purpose -> derived seed
};

/// Why an attempt at a cell failed.
struct CellFailure {
  FailureClass failure_class = FailureClass::kCrash;
  std::string message;
  std::string log_tail;  ///< the last lines that the worker printed
  std::optional<int> signal;
  std::optional<int> exit_code;
  std::string log_file = {};  ///< where all that it printed is; empty: nowhere
  std::string plugins = {};   ///< that the cell uses, the attack or probe first: "attack pgd, ..."
  std::string command = {};   ///< executes the cell again, alone; empty: there is none
};

void to_json(nlohmann::json& json, const ResultFile& file);
void from_json(const nlohmann::json& json, ResultFile& file);
void to_json(nlohmann::json& json, const CellResult& result);
void from_json(const nlohmann::json& json, CellResult& result);

}  // namespace unmask::wire
