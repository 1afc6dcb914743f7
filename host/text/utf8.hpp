#pragma once
// UTF-8: what a file, a message or a log must be before others are given it.

#include <cstddef>
#include <string>
#include <string_view>

namespace unmask::words {

/// Offset of the first byte that is not UTF-8 (or is NUL), or npos. Overlong forms, surrogates and
/// code points above U+10FFFF are not UTF-8.
std::size_t first_invalid_utf8(std::string_view text);

/// The text with every byte that is not UTF-8 (and NUL) replaced by '?'.
std::string valid_utf8(std::string_view text);

}  // namespace unmask::words
