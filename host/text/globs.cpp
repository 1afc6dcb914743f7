#include "text/globs.hpp"

#include <cstddef>

namespace unmask::words {

bool is_glob(std::string_view text) {
  return text.find('*') != std::string_view::npos;
}

bool glob_matches(std::string_view pattern, std::string_view text) {
  // Greedy with one point to return to: linear in practice, never exponential.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace unmask::words
