#pragma once

#include <string>

namespace unmask::words {

/// "a solver", "an attack": by the first letter, which is right for every kind of plugin.
inline std::string with_article(const std::string& noun) {
  const bool begins_with_vowel =
      !noun.empty() && std::string("aeiou").find(noun.front()) != std::string::npos;
  return (begins_with_vowel ? "an " : "a ") + noun;
}

}  // namespace unmask::words
