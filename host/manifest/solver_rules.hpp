#pragma once
// Rules between the driver options of one solver: what contradicts, what needs something else, and
// what has no effect. An option that would be ignored is an error: whoever wrote it meant
// something.

#include <vector>

#include <nlohmann/json.hpp>

#include "manifest/option_conflict.hpp"

namespace unmask::manifest {

/// @param values      resolved parameters, defaults filled
/// @param is_written  whether the definition (or one that it extends) states an option
std::vector<OptionConflict> solver_conflicts(const nlohmann::json& values,
                                             const IsWritten& is_written);

}  // namespace unmask::manifest
