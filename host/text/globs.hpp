#pragma once
// Patterns with "*".

#include <string_view>

namespace unmask::words {

/// True when `text` holds a '*'.
bool is_glob(std::string_view text);

/// '*' stands for any run of characters, also none; everything else for itself.
bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace unmask::words
