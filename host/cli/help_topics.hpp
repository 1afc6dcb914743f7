#pragma once
// Short texts about what belongs to no command alone, each with the document that says all of it.

#include <span>
#include <string>

namespace unmask::cli {

struct HelpTopic {
  const char* name;
  const char* summary;  ///< one line
  const char* text;     ///< lines of at most 80 columns
};

std::span<const HelpTopic> help_topics();

/// nullptr when there is none.
const HelpTopic* find_topic(const std::string& name);

}  // namespace unmask::cli
