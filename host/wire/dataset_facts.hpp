#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace unmask::wire {

/// What a data set plugin says of one definition; asked for in a child process, since reading data
/// is the plugin's business.
struct DatasetFacts {
  std::string content_hash;  ///< empty when the data cannot be read
  std::string problem;       ///< why not; empty when it can
  std::int64_t test_count = 0;
  std::vector<std::string> remarks = {};  ///< what looks like a mistake, a sentence each
};

}  // namespace unmask::wire
