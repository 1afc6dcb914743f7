#pragma once
// What verdicts are made of, typed: the cells of the studies as their latest runs planned them, and
// the values of one cell. Only reads.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/store.hpp"
#include "wire/cell.hpp"
#include "wire/result.hpp"

namespace unmask::store {

/// An attack or a probe of a study, under its first name.
struct EvidenceCell {
  std::int64_t id = 0;
  wire::CellKind kind = wire::CellKind::kAttack;
  wire::CellLabels labels;
  std::string spec_json;
  std::string norm;  ///< of an attack; empty while nobody knows
  std::int64_t checkpoint_cell = 0;
  bool is_gradient_free = false;  ///< of an attack: every plugin of it says so
  bool has_result = false;
  std::string attempt;  ///< that gave the result; empty without one
};

/// A study at its latest run that has a plan.
struct EvidenceStudy {
  std::string name;
  std::int64_t run = 0;
  std::map<std::string, double> thresholds;  ///< that its manifest sets
  std::vector<EvidenceCell> cells;           ///< attacks and probes, in the order of the plan
};

/// All studies, in the order of their names, or this one alone.
std::vector<EvidenceStudy> evidence_studies(const Store& store,
                                            const std::optional<std::string>& study = {});

/// What an attack did to each sample, in their order.
std::vector<wire::SampleOutcome> outcomes_of(const Store& store, std::int64_t cell);

/// The numbers of a cell that are some.
std::map<std::string, double> metrics_of(const Store& store, std::int64_t cell);

/// By name, sample and value in the order of samples; a value may be NaN or infinite.
using SampleValues = std::map<std::string, std::vector<std::pair<std::int64_t, double>>>;
SampleValues sample_metrics_of(const Store& store, std::int64_t cell);

/// By name, in the order of steps; a value may be NaN or infinite.
std::map<std::string, std::vector<double>> series_of(const Store& store, std::int64_t cell);

}  // namespace unmask::store
