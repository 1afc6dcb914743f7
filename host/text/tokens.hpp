#pragma once
// Where the tokens of a JSON text with comments begin and end, well-formed or not. Private to the
// reader of files (source.cpp, syntax.cpp).

#include <cstddef>
#include <string>

#include "text/source.hpp"

namespace unmask::words {

bool is_blank(char c);
bool is_punctuation(char c);

/// First byte at or after `at` that is neither blank nor inside a comment. An unfinished comment
/// counts as a token.
std::size_t skip_blanks(const std::string& text, std::size_t at);

/// Start of the token after a finished one: commas and colons between them belong to neither.
std::size_t next_token(const std::string& text, std::size_t at);

/// The bytes of a token of whatever kind, well-formed or not.
Range token_at(const std::string& text, std::size_t begin);

/// End of the JSON number that begins at `at`: as far as the parser takes it, "0" of "0x40".
std::size_t number_end(const std::string& text, std::size_t at);

}  // namespace unmask::words
