#pragma once
// What to say of the first token that the JSON parser could not take. Our own words, since the
// parser's name the read head and differ between its versions. Private to source.cpp.

#include <string>

#include "text/source.hpp"

namespace unmask::words {

/// Where the parser stood when it gave up.
struct Impasse {
  enum class State {
    kStart,      ///< before the root
    kDone,       ///< behind it
    kFirst,      ///< just inside a list or an object
    kAfterKey,   ///< a key waits for its value
    kAfterValue  ///< of a list or an object
  };

  const std::string& text;
  State state = State::kStart;
  bool in_object = false;     ///< the innermost thing that is open is an object, not a list
  Range last = {};            ///< the last token that was taken
  bool is_too_large = false;  ///< the token is a number that no double holds
  std::string is_open = "";   ///< "the list opened in line 3, column 1 is not closed", or ""
};

struct SyntaxComplaint {
  const char* code;
  Range range;
  std::string message;
  std::string help = "";
};

SyntaxComplaint explain_syntax(const Impasse& impasse);

}  // namespace unmask::words
