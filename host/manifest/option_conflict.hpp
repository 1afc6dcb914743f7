#pragma once
// What is wrong with a combination of options of one definition.

#include <string>
#include <vector>

namespace unmask::manifest {

struct OptionConflict {
  std::vector<std::string> options;  ///< reported at the first of them that is written
  std::string message;
  std::string help;
};

}  // namespace unmask::manifest
