#pragma once
// What the hostile plugins share: a parameter that names which rule is broken.

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "unmask/plugin.hpp"

namespace unmask {

/// The names of modes that a plugin has in its code, and of those that it has in a table.
template <class Modes>
std::vector<std::string> names_of(std::vector<std::string> in_code, const Modes& modes) {
  for (const auto& mode : modes) in_code.push_back(mode.first);
  return in_code;
}

inline PluginInfo info_of(std::vector<std::string> names, std::set<std::string> capabilities = {}) {
  return {.version = "1.0",
          .summary = "breaks a rule",
          .source = "a test",
          .params = {choice("how", std::move(names), "which rule")},
          .capabilities = std::move(capabilities)};
}

}  // namespace unmask
