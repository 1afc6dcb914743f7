#include "run/complaint.hpp"

#include <cmath>
#include <cstdint>
#include <set>

namespace unmask::run {

using wire::Cell;
using wire::CellKind;

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
    if (o.is_decided && (o.clean_prediction < 0 || o.prediction < 0)) {
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
