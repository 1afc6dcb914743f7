#pragma once
// The tokens of C++ source text: what is left of a file when comments, white space and formatting do not count.

#include <string>
#include <string_view>
#include <vector>

namespace unmask::fingerprint {

struct SourceText {
  /// Every token with a line end behind it, in order: identifiers and numbers, string and character literals as they are
  /// written, punctuators. The end of a preprocessor directive, which its meaning depends on, counts as a token.
  std::string tokens;
  /// What the file includes in quotes, in order, as written.
  std::vector<std::string> quoted_includes;
};

/// Cut source text into tokens [C++20, lex.phases 2-3, lex.token]. Two texts with equal tokens compile to the same program, but for
/// __LINE__ and the like. Text that is not valid C++ (a literal without end) is cut in some way, and always in the same.
SourceText read_tokens(std::string_view text);

}  // namespace unmask::fingerprint
