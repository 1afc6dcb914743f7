#pragma once
// Verdicts: what all rules together say about each network, solver and threat.
//
//   for (const verdict::Verdict& v : verdict::judge(store)) std::cout << verdict::text_of(v);

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/evidence.hpp"
#include "store/store.hpp"
#include "store/verdict_record.hpp"
#include "text/conditions.hpp"
#include "verdict/rule.hpp"

namespace unmask::verdict {

enum class Judgement { kMasked, kSuspect, kNotDetected, kInsufficient };

/// "masked", "suspect", "not detected", "insufficient evidence".
const char* to_string(Judgement judgement);

enum class RuleState {
  kDecides,  ///< enough for "masked" alone
  kSymptom,
  kNote,   ///< beyond its threshold, and has no vote
  kQuiet,  ///< measured, and not beyond
  kLacks   ///< not measured
};

/// "decides", "symptom", "note", "quiet", "lacks evidence".
const char* to_string(RuleState state);

/// One rule's answer.
struct Reading {
  const Rule* rule = nullptr;
  RuleState state = RuleState::kLacks;
  Measurement found;
  std::optional<double> p_adjusted;  ///< for all paired tests of the verdict (Holm)
  std::optional<double> threshold;   ///< that it was compared with last
};

/// About one network under one solver and one threat.
struct Verdict {
  std::string study;
  std::int64_t run = 0;  ///< whose plan and thresholds it follows
  wire::CellLabels labels;
  std::int64_t checkpoint_cell = 0;
  std::string norm;
  double epsilon = 0;
  std::string epsilon_text;
  Judgement judgement = Judgement::kInsufficient;
  std::string sentence;  ///< why
  std::int64_t n = 0;    ///< samples that were attacked
  std::int64_t clean_correct = 0;
  std::optional<std::int64_t> plain_correct;  ///< after the plain gradient attack
  std::int64_t robust_correct = 0;            ///< after all attacks
  std::string strongest;                      ///< the attack that leaves least
  std::int64_t n_attacks = 0;
  std::int64_t n_missing = 0;  ///< attacks and probes of the plan without a result
  std::vector<Reading> readings;
  Thresholds thresholds;
  std::string evidence_sha256;  ///< of what the study's verdicts rest on
};

/// Which verdicts: conditions that must all hold, "model=so_*,solver=bosh3". Several texts: any.
/// Axes: study dataset model objective train_solver train_seed solver norm epsilon.
class Filter {
 public:
  Filter() = default;
  /// @throws UsageError for a text that is no condition, or an unknown axis
  explicit Filter(const std::vector<std::string>& texts);
  /// @param labels  one name of the network and radius that a verdict is about
  bool matches(const std::string& study,
               const std::string& norm,
               const wire::CellLabels& labels) const;

 private:
  std::vector<std::vector<words::Condition>> alternatives_;
};

/// Judge what is stored, each study as its latest run planned it; the same database gives the same
/// verdicts. In the order of studies, of their plans, and of norm and radius.
/// @param thresholds  instead of those that the run's manifest sets and the defaults, by name
/// @throws UsageError for a threshold that does not exist
std::vector<Verdict> judge(const store::Store& store,
                           const Filter& filter = {},
                           const std::map<std::string, double>& thresholds = {});

/// Likewise of one study.
std::vector<Verdict> judge_study(const store::Store& store,
                                 const store::EvidenceStudy& study,
                                 const Filter& filter,
                                 const std::map<std::string, double>& thresholds);

/// Bring the stored verdicts of a study up to date with what is stored, and return them. Nothing is
/// judged or written when they are.
/// @param store  a writer
std::vector<store::VerdictRecord> renew(store::Store& store, const std::string& study);

/// One piece of evidence alone.
Verdict judge(const Evidence& evidence, const Thresholds& thresholds);

/// SHA-256 of the results, thresholds and rules that a study's verdicts rest on: as long as it is the
/// same, so are they.
/// @param marks  store::evidence_marks
std::string evidence_sha256(const std::string& marks, const Thresholds& thresholds);

/// What the verdict lacked: first what kept it from being one, then what other rules asked for.
struct MissingEvidence {
  std::string rule;   ///< id; empty: no rule, but the verdict itself
  std::string needs;  ///< in words
  std::string
      lines;  ///< of a manifest: one JSON object, to be merged into it; empty: none would help
  bool is_essential = false;
};
std::vector<MissingEvidence> missing_evidence(const Verdict& verdict);

/// As the store keeps it.
store::VerdictRecord to_record(const Verdict& verdict);

}  // namespace unmask::verdict
