#pragma once
// A rule asks one question of the evidence and answers with one number. Each is one small file in
// rules/; rules/rules.hpp lists them.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "verdict/evidence.hpp"

namespace unmask::verdict {

/// What a rule found. Without a value it lacks evidence.
struct Measurement {
  std::optional<double> value = {};
  std::optional<double> lower = {}, upper = {};  ///< 95 % interval, where the value is a share
  std::optional<std::int64_t> n = {};            ///< samples behind it
  std::optional<double> p = {};                  ///< of a one-sided paired test
  std::string sentence = {};                     ///< the numbers in words
  std::vector<std::int64_t> cells = {};          ///< that they were counted in
};

enum class Direction { kAbove, kBelow };

struct Rule {
  const char* id;
  const char* question;
  const char* source;     ///< who asked it first
  const char* about;      ///< symptoms about the same thing count once
  const char* needs;      ///< the evidence, in words
  const char* statistic;  ///< what the number is
  const char* says;       ///< what it means when the number is beyond its threshold
  Direction direction = Direction::kAbove;
  const char* decides_at = "";  ///< threshold beyond which it decides alone; "": never
  const char* symptom_at = "";  ///< threshold beyond which it is a symptom
  /// It tells about the attacks, or what the network is like, and has no vote.
  bool is_note = false;
  /// It shows that the gradient is useless, not that another attack succeeds: it counts where the
  /// plain gradient attack leaves something (hidden_share).
  bool is_about_gradient = false;
  /// Attacks that are not hindered by what it blames. Where they ran, and none of them finds at least
  /// gap_suspect that the plain attack does not, nothing is hidden by it: the rule stays quiet.
  Attacks (*unhindered)(const Evidence&) = nullptr;
  /// Lines of a manifest that supply the evidence: one JSON object, to be merged into it.
  const char* supply;
  Measurement (*measure)(const Evidence&);
};

}  // namespace unmask::verdict
