#pragma once
// Conditions of a filter, as commands take them: "model=so_*,solver=bosh3".

#include <string>
#include <vector>

namespace unmask::words {

struct Condition {
  std::string axis;
  std::string pattern;  ///< with '*' (globs.hpp)
};

/// The parts of `text`, which are separated by commas and must all hold.
/// @param axes  that there are
/// @param where  what messages begin with: the option, or nothing
/// @throws UsageError for a part that is not axis=pattern, or an unknown axis
std::vector<Condition> parse_conditions(const std::string& text,
                                        const std::vector<std::string>& axes,
                                        const std::string& where);

}  // namespace unmask::words
