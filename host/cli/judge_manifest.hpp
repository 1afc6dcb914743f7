#pragma once
// The manifest that `unmask judge` writes: which attacks and probes look at one network, and how long.

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace unmask::cli {

enum class Budget { kQuick, kStandard, kThorough };

/// "quick", "standard", "thorough". @throws UsageError for anything else
Budget parse_budget(const std::string& text);

const char* to_string(Budget budget);

/// The network that is judged: by definitions of its own, or as one that another study trains.
struct JudgeSubject {
  std::string name;     ///< of the study that is made; letters, digits, '.', '_', '+', '-'
  std::string extends;  ///< manifest of the other study; empty: none
  /// "dataset", "model", "objective", "solver" -> name -> definition. Empty with `extends`.
  nlohmann::ordered_json define = nlohmann::ordered_json::object();
  /// The one training, as an entry of "train"."add".
  nlohmann::ordered_json training;
};

/// What a first look at a network tells, and a longer one answers to.
struct JudgeFindings {
  bool is_random = false;         ///< the same images get other answers when asked again
  bool is_batch_coupled = false;  ///< answers depend on the other images of the batch
  bool is_one_hot = false;        ///< answers are labels: zeros and a one
  bool has_no_gradient = false;   ///< of cross-entropy, on a share of images that decides
};

struct JudgeRequest {
  JudgeSubject subject;
  std::vector<std::string> epsilons;  ///< radii as typed, "8/255" or "0.03", in the norm
  std::string norm = "linf";          ///< linf or l2
  Budget budget = Budget::kQuick;
  std::int64_t samples = 200;  ///< first ones of the test split
  std::int64_t seed = 0;       ///< of attacks and probes
  JudgeFindings findings;
};

/// Passes of one image at one radius, counted for an image that no attack fools, of a network without
/// findings.
struct JudgeCost {
  std::int64_t forwards = 0;
  std::int64_t backwards = 0;
};

struct JudgeManifest {
  std::string study;  ///< name of the study; other requests have other ones, other findings do not
  std::string text;   ///< the file
  std::string look;   ///< name of the attack whose checks tell the findings
};

JudgeManifest judge_manifest(const JudgeRequest& request);

JudgeCost judge_cost(Budget budget, const std::string& norm);

/// A radius as a number. @throws UsageError for a text that is neither a ratio nor a decimal above 0,
///         or one that is larger than the norm allows
double parse_radius(const std::string& text, const std::string& norm);

/// The radius from which an attack may do whatever it likes; one attack of each budget has it. A
/// verdict about it is nobody's question.
double unbounded_radius(const std::string& norm);

}  // namespace unmask::cli
