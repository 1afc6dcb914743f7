#pragma once
// What `unmask judge` says in the end: the verdict, the worst case, what the user may have got wrong,
// and what to do next.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "verdict/judge.hpp"

namespace unmask::cli {

/// What was seen of the network besides its verdicts.
struct JudgeObservations {
  /// The largest value of each metric among the cells of the study (docs/database.md), by name.
  std::map<std::string, double> metrics = {};
  std::optional<std::int64_t> n_labels = {};  ///< different labels among the images
  std::vector<std::string> failures = {};     ///< messages of cells that failed, each once
};

struct JudgeReport {
  std::string name;  ///< of the model
  std::string study, manifest, database;
  std::vector<verdict::Verdict> verdicts;  ///< of the radii that were asked for
  JudgeObservations seen;
  std::size_t n_left = 0;    ///< cells without a result
  bool was_stopped = false;  ///< some of them, by the user
};

/// The gravest one: masked, suspect, insufficient evidence, not detected. Insufficient without any.
verdict::Judgement overall(const std::vector<verdict::Verdict>& verdicts);

/// What users get wrong, a sentence each: probabilities for logits, random answers, answers that
/// depend on the batch, few right answers, two classes, labels that do not fit.
std::vector<std::string> remarks_of(const JudgeReport& report);

/// What to do now, a sentence each.
std::vector<std::string> next_steps(const JudgeReport& report);

std::string text_of(const JudgeReport& report);
nlohmann::ordered_json json_of(const JudgeReport& report);

}  // namespace unmask::cli
