#pragma once
// In what two specifications differ, in words: why a cell has another key than one that is stored.

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace unmask::cli {

struct Difference {
  std::string component;      ///< "attack.steps", "sources of attack pgd", "seed"
  std::string before, after;  ///< "": it is not there
};

/// Every component in which `after` differs from `before`, in the order of their names. Parameters
/// of another plugin are not listed: the plugin is.
std::vector<Difference> differences(const nlohmann::json& before, const nlohmann::json& after);

/// "attack.steps: 10 -> 20, seed: 0 -> 1".
std::string to_text(const std::vector<Difference>& differences);

/// How far two specifications are from each other: 0 when they are equal; another plugin weighs
/// more than any number of parameters.
std::size_t distance(const std::vector<Difference>& differences);

}  // namespace unmask::cli
