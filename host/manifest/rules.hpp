#pragma once
// The rules of a stage: "exclude" and "only". A rule that never matches is an error, since it was
// probably meant to.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manifest/axes.hpp"
#include "manifest/axis_values.hpp"
#include "manifest/keys.hpp"
#include "manifest/study.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest::matrix {

/// The axis as a rule names it: its value in a row, and how its values read.
struct RuleAxis {
  const Axis* axis = nullptr;
  std::function<AxisValue(const Row&)> value;
  std::function<std::string(AxisValue)> text;
  std::function<bool(const Row&)> is_token;  ///< "@train", "@eval"; empty: never
};

/// The axis of a key; nullopt when a rule of this stage cannot name it.
using FindRuleAxis = std::function<std::optional<RuleAxis>(std::string_view key)>;

/// Apply the rules of a stage, of which `rule_scope` are the legal keys.
/// @return  the rows that stay, in their order; the others go to study.excluded
std::vector<Row> apply_rules(const Node& stage,
                             Scope rule_scope,
                             const std::vector<Row>& rows,
                             const FindRuleAxis& find_axis,
                             AxisValues& values,
                             Study& study);

}  // namespace unmask::manifest::matrix
