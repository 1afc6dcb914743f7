#pragma once
// Verdicts for people and for programs.

#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "table/table.hpp"
#include "verdict/judge.hpp"

namespace unmask::verdict {

/// "resnet/strokes/natural/rk4/0 under rk4".
std::string network_name(const wire::CellLabels& labels);

/// Judgement, why, what fired, what was quiet, what lacked evidence and which lines would supply it.
std::string text_of(const Verdict& verdict);

/// One row a verdict, without rules.
table::Table table_of(std::span<const Verdict> verdicts);

/// One row a verdict and rule.
table::Table rules_of(std::span<const Verdict> verdicts);

/// Everything, with the cells behind each number and the lines that would supply what is missing.
nlohmann::ordered_json json_of(std::span<const Verdict> verdicts);

/// One line a network and solver: its gravest judgement, at which radii, and why.
std::vector<std::string> lines_of(std::span<const store::VerdictRecord> verdicts);

}  // namespace unmask::verdict
