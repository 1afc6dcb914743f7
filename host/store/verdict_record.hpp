#pragma once
// Verdicts as the store keeps them: what was judged, why, and the cells behind each number. They are
// made in the room `verdict`.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wire/cell.hpp"

namespace unmask::store {

class Store;

/// What one rule found.
struct RuleRecord {
  std::string rule;
  std::string state;  ///< "decides", "symptom", "note", "quiet", "lacks evidence"
  std::string statistic;
  std::optional<double> value, lower, upper;
  std::optional<std::int64_t> n;
  std::optional<double> p, p_adjusted, threshold;
  std::string sentence;
  std::vector<std::int64_t> cells;
};

struct VerdictRecord {
  wire::CellLabels labels;  ///< of the network and its solver: dataset to solver
  std::string norm;
  double epsilon = 0;
  std::string epsilon_text;
  std::int64_t checkpoint_cell = 0;
  std::string judgement;  ///< "masked", "suspect", "not detected", "insufficient evidence"
  std::string sentence;
  std::int64_t n = 0, clean_correct = 0, robust_correct = 0;
  std::optional<std::int64_t> plain_correct;
  std::string strongest;
  std::int64_t n_attacks = 0, n_missing = 0;
  std::map<std::string, double> thresholds;
  std::string evidence_sha256;
  std::vector<RuleRecord> rules;
};

/// The verdicts of a study as they were recorded last, without their rules, in the order of recording.
std::vector<VerdictRecord> recorded_verdicts(const Store& store, const std::string& study);

}  // namespace unmask::store
