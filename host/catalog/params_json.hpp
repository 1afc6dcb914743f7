#pragma once
// From the canonical JSON of a definition to the typed parameters that a plugin reads.

#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "unmask/params.hpp"

namespace unmask::catalog {

/// Values for a table of declarations. Numbers take the declared type: a real may be written as an
/// integer, an integer never as a real. Defaults are filled.
/// @param values   an object; null stands for no parameters
/// @param ignored  names that are somebody else's: the host's own options of that kind
/// @throws ParamError naming the parameter, its value and the violated rule
Params params_from_json(const std::vector<ParamSpec>& specs,
                        const nlohmann::json& values,
                        const std::set<std::string>& ignored = {});

}  // namespace unmask::catalog
