#pragma once
// UTF-8: what a file, a message or a log must be before others are given it. Overlong forms,
// surrogates and code points above U+10FFFF are not UTF-8.

#include <cstddef>
#include <string>
#include <string_view>

namespace unmask::words {

/// One code point of a text.
struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
  bool is_valid = false;  ///< false: the byte begins no code point; `value` is the byte
};

/// The code point that begins at `at`. @pre at < text.size()
CodePoint code_point_at(std::string_view text, std::size_t at);

/// True for the second and later bytes of a code point.
bool is_continuation(char byte);

/// Offset of the first byte that is not UTF-8 (or is NUL), or npos.
std::size_t first_invalid_utf8(std::string_view text);

/// The text with every byte that is not UTF-8 (and NUL) replaced by '?'.
std::string valid_utf8(std::string_view text);

/// The same, and every control character but line ends and tabs: what a terminal or a database may
/// be given.
std::string printable(std::string_view text);

}  // namespace unmask::words
