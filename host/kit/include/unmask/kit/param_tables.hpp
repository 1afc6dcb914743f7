#pragma once
// Tables of declarations put together: a plugin's own parameters, and those of the parts that it is
// made of.

#include <initializer_list>
#include <vector>

#include "unmask/params.hpp"

namespace unmask::kit {

/// All tables behind one another.
inline std::vector<ParamSpec> joined(std::initializer_list<std::vector<ParamSpec>> tables) {
  std::vector<ParamSpec> all;
  for (const std::vector<ParamSpec>& table : tables) {
    all.insert(all.end(), table.begin(), table.end());
  }
  return all;
}

}  // namespace unmask::kit
