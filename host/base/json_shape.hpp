#pragma once
// What a JSON text becomes before it is parsed: how deep its values are nested, and how much memory
// they take. Copying a value, and writing it, calls itself for every level, so that depth is a matter
// of the stack; "[],[],..." becomes a multiple of its text.

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace unmask::base {

/// Deepest nesting that is read from elsewhere; what this program writes has a dozen levels.
inline constexpr std::size_t kDeepestJson = 200;

struct JsonShape {
  std::size_t depth = 0;  ///< levels of lists and objects, as far as they open
  std::size_t weight =
      1;  ///< in pieces of some 24 bytes: a number one, a list four, an object eight
};

/// One pass over the bytes, whatever they are. (Weights: measured with GCC's library.)
inline JsonShape json_shape(std::string_view text) {
  JsonShape shape;
  std::size_t depth = 0;
  bool is_in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_in_string) {
      if (c == '\\') ++i;
      is_in_string = c != '"';
      continue;
    }
    switch (c) {
      case '"': is_in_string = true; break;
      case ',': shape.weight += 1; break;
      case '[':
      case '{':
        shape.weight += c == '[' ? 4 : 8;
        shape.depth = std::max(shape.depth, ++depth);
        break;
      case ']':
      case '}':
        if (depth > 0) --depth;
        break;
      default: break;
    }
  }
  return shape;
}

}  // namespace unmask::base
