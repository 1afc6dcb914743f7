#pragma once
// Commands that are printed so that they can be pasted into a shell.

#include <string>
#include <string_view>
#include <vector>

namespace unmask::words {

/// A word as bash, dash and zsh read it: as it is where nothing in it is special, else in quotes. A
/// word with control characters or bytes that are not UTF-8 stands in $'...', which dash does not
/// know.
std::string shell_word(std::string_view word);

/// All words of a command line.
std::string shell_command(const std::vector<std::string>& argv);

}  // namespace unmask::words
