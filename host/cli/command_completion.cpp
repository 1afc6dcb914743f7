// unmask completion and unmask man: what shells and man read, made from the commands' own options.

#include <iostream>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/completion.hpp"
#include "cli/man_page.hpp"

namespace unmask::cli {

int command_completion(const Arguments& arguments) {
  CommandLine line("completion SHELL",
                   "Prints the completion of commands and options for a shell. An installation "
                   "brings all three; to try\none: source <(unmask completion bash), or zsh; "
                   "unmask completion fish | source");
  line.positional("shell", "bash, zsh or fish");
  line.choices("shell", {"bash", "zsh", "fish"});
  if (!line.parse(arguments)) return 0;
  std::cout << completion_script(line.required("shell"));
  return 0;
}

int command_man(const Arguments& arguments) {
  CommandLine line("man",
                   "Prints the manual page. An installation brings it (man unmask); to read it "
                   "without one:\nunmask man | man -l -");
  if (!line.parse(arguments)) return 0;
  std::cout << man_page();
  return 0;
}

}  // namespace unmask::cli
