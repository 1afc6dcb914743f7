#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace unmask::base {

/// "1 worker", "2 workers", "0 entries": a count and what is counted.
/// @param many  the plural where it is not the singular with an s
template <std::integral Count>
std::string counted(Count count, std::string_view one, std::string_view many = {}) {
  std::string text = std::to_string(count) + " ";
  if (count == 1) return text.append(one);
  return many.empty() ? text.append(one).append("s") : text.append(many);
}

}  // namespace unmask::base
