#pragma once
// The manual page, made from what the commands declare.

#include <string>
#include <string_view>

namespace unmask::cli {

/// unmask(1) for man and groff.
std::string man_page();

/// A text so that troff prints it as it is.
std::string roff(std::string_view text);

}  // namespace unmask::cli
