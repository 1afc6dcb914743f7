#pragma once
// The commands of `unmask` by name, and what each declares: the one source of the overview, the
// completion of shells and the manual page.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"

namespace unmask::cli {

struct Command {
  const char* name;
  int (*function)(const Arguments&);
  const char* summary;
};

/// In the order in which to list them.
std::span<const Command> commands();

/// @throws UsageError with a suggestion when there is none of this name
const Command& find_command(const std::string& name);

/// What the command declares; it does nothing else.
CommandDescription describe(const Command& command);

/// "exit codes: 0 done, ..."
extern const char* const kExitCodes;

/// The overview: `unmask --help`.
std::string overview_text();

}  // namespace unmask::cli
