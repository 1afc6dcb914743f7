#pragma once
// What the conformance suites of attacks share: a small problem, and parameters that suit it.

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <torch/types.h>

#include "support/attack_run.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test {

using Problem = SixImages;

// The attack with budgets that suit six images of sixteen pixels: defaults are made for networks.
inline Values small(const std::string& id) {
  const std::map<std::string, std::int64_t> budgets = {
      {"steps", 25}, {"search_steps", 4}, {"queries", 60}, {"draws", 12}, {"first_queries", 10}};
  Values result;
  for (const ParamSpec& spec : plugin_descriptor("attack", id).info().params) {
    const auto budget = budgets.find(spec.name);
    if (budget == budgets.end() || !spec.default_value) continue;
    result[spec.name] = std::min(std::get<std::int64_t>(*spec.default_value), budget->second);
  }
  // Three classes are too few for the targeted ratio of logits.
  if (id == "autoattack") result["loss"] = std::string("margin");
  return result;
}

// Parameter values under which an attack is tested: the defaults, with every choice of a norm.
inline std::vector<Values> variants(const std::string& id) {
  std::vector<Values> result;
  for (const ParamSpec& spec : plugin_descriptor("attack", id).info().params) {
    if (spec.name != "norm") continue;
    for (const std::string& norm : spec.choices) {
      Values values = small(id);
      values["norm"] = norm;
      result.push_back(values);
    }
  }
  if (result.empty()) result.push_back(small(id));
  return result;
}

inline bool has_capability(const std::string& id, const char* name) {
  return plugin_descriptor("attack", id).info().capabilities.contains(name);
}

}  // namespace unmask::test
