#pragma once
// Completion for shells, made from what the commands declare.

#include <string>

namespace unmask::cli {

/// A script for the shell to read. @param shell  "bash", "zsh" or "fish" @throws UsageError else
std::string completion_script(const std::string& shell);

}  // namespace unmask::cli
