#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace unmask::wire {

/// What a data set plugin says of one definition; asked for in a child process, since reading data
/// is the plugin's business.
struct DatasetFacts {
  std::string content_hash;  ///< empty when the data cannot be read
  std::string problem;       ///< why not; empty when it can, or when the plugin gave no answer
  std::int64_t test_count = 0;
  std::vector<std::string> remarks = {};  ///< what looks like a mistake, a sentence each
  /// What the plugin did in place of an answer: "its plugin x crashes (...) when it is asked what it
  /// holds"; empty: it answered.
  std::string deed = {};
  bool is_endless = false;  ///< it did not come to an end
};

}  // namespace unmask::wire
