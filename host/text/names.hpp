#pragma once
// Names that people give to things, and how messages write several of them.

#include <string>
#include <string_view>
#include <vector>

namespace unmask::words {

/// A name of a definition or a path: letters, digits, '.', '_', '+', '-', beginning with a letter
/// or digit, at most 64 characters.
bool is_valid_name(std::string_view name);

/// "a -> b -> c".
std::string chain_text(const std::vector<std::string>& chain);

}  // namespace unmask::words
