#pragma once
// What the host records about the machine and the repository that a run happens in.

#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace unmask::cli {

/// Processors that this process may use (its affinity mask, not the number in the machine).
int usable_processors();

/// "host", "os", "cpu", "compiler" and "unmask", to which the caller adds what the engine knows.
nlohmann::json describe_machine();

/// The git commit of a folder and whether its work tree has changes; empty when it is under no git.
struct GitState {
  std::string commit;
  std::optional<bool> dirty;
};
GitState git_state(const std::filesystem::path& folder);

}  // namespace unmask::cli
