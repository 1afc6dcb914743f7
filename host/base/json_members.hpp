#pragma once
// The members of a JSON object without parsing their values: what a specification says of one thing is
// wanted 100,000 times, and most of them say the same.

#include <cstddef>
#include <string_view>

namespace unmask::base {

/// Calls visit(name, value) for every member of an object, both as they are written (the name without
/// its quotation marks, escapes left in it). The text is compact, as dump() writes it.
/// @return false when it is no such text; some members may have been visited then
template <class Visitor>
bool for_each_member(std::string_view text, Visitor&& visit) {
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return false;
  const std::size_t end = text.size() - 1;
  // Behind the string that begins at `at`; npos when it does not end.
  const auto behind_string = [&](std::size_t at) {
    for (++at; at < end; ++at) {
      if (text[at] == '\\') {
        ++at;
      } else if (text[at] == '"') {
        return at + 1;
      }
    }
    return std::string_view::npos;
  };
  std::size_t at = 1;
  while (at < end) {
    if (text[at] != '"') return false;
    const std::size_t name_end = behind_string(at);
    if (name_end >= end || text[name_end] != ':') return false;
    const std::string_view name = text.substr(at + 1, name_end - at - 2);
    const std::size_t begin = name_end + 1;
    std::size_t depth = 0;
    for (at = begin; at < end && (depth > 0 || text[at] != ',');) {
      const char c = text[at];
      if (c == '"') {
        at = behind_string(at);
        if (at > end) return false;
        continue;
      }
      if (c == '[' || c == '{') ++depth;
      if (c == ']' || c == '}') {
        if (depth == 0) return false;
        --depth;
      }
      ++at;
    }
    if (depth > 0 || at == begin) return false;
    visit(name, text.substr(begin, at - begin));
    if (at < end && ++at == end) return false;  // a comma and nothing behind it
  }
  return true;
}

}  // namespace unmask::base
