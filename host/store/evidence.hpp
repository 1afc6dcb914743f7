#pragma once
// What verdicts are made of, typed: the cells of the studies as their latest runs planned them, and
// the values of one cell. Only reads.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "store/database.hpp"
#include "store/store.hpp"
#include "wire/cell.hpp"
#include "wire/result.hpp"

namespace unmask::store {

/// An attack or a probe of a study.
struct EvidenceCell {
  std::int64_t id = 0;
  wire::CellKind kind = wire::CellKind::kAttack;
  wire::CellLabels labels;                    ///< the first name
  std::vector<wire::CellLabels> other_names;  ///< of definitions that are equal
  std::shared_ptr<const std::string> solver;  ///< that answers, as JSON: shared by cells
  std::string norm;                           ///< of an attack; empty while nobody knows
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

/// The study without its cells.
std::optional<EvidenceStudy> evidence_study(const Store& store, const std::string& study);

/// What tells the evidence of a study from what it was before, as text: of each of its cells the id, the
/// norm and the attempt that gave the result, in their order. The same for `cells` read and unread.
std::string evidence_marks(const std::vector<EvidenceCell>& cells);
std::string evidence_marks(const Store& store, std::int64_t run);

/// What an attack did to each sample, in their order.
std::vector<wire::SampleOutcome> outcomes_of(const Store& store, std::int64_t cell);

/// By name, sample and value in the order of samples; a value may be NaN or infinite.
using SampleValues = std::map<std::string, std::vector<std::pair<std::int64_t, double>>>;

/// Reads the values of many cells.
class EvidenceReader {
 public:
  /// @param store  outlives it; not written to meanwhile
  explicit EvidenceReader(const Store& store);

  /// Those members of a cell's specification that judging looks at.
  nlohmann::json spec(std::int64_t cell);
  /// See outcomes_of.
  std::vector<wire::SampleOutcome> outcomes(std::int64_t cell);
  /// The numbers of a cell that are some.
  std::map<std::string, double> metrics(std::int64_t cell);
  SampleValues sample_metrics(std::int64_t cell);
  /// By name, in the order of steps; a value may be NaN or infinite.
  std::map<std::string, std::vector<double>> series(std::int64_t cell);

 private:
  ReadTransaction view_;
  Statement spec_, outcomes_, metrics_, sample_metrics_, series_;
  std::unordered_map<std::string, nlohmann::json> values_;  // of members, by their text
};

}  // namespace unmask::store
