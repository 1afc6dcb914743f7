#include "cli/machine.hpp"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/child.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

std::string field_of_file(const char* file, const std::string& key, char separator) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with(key)) continue;
    const auto at = line.find(separator);
    if (at == std::string::npos) continue;
    std::string value = line.substr(at + 1);
    std::erase(value, '"');
    const auto first = value.find_first_not_of(" \t");
    return first == std::string::npos ? "" : value.substr(first);
  }
  return "";
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

nlohmann::json describe_machine() {
  utsname system{};
  ::uname(&system);
  const std::string distribution = field_of_file("/etc/os-release", "PRETTY_NAME", '=');
  return {{"host", system.nodename},
          {"os", distribution.empty() ? std::string(system.sysname) : distribution},
          {"kernel", system.release},
          {"cpu", field_of_file("/proc/cpuinfo", "model name", ':')},
          {"processors", usable_processors()},
          {"compiler", "GCC " __VERSION__},
          {"unmask", UNMASK_VERSION}};
}

GitState git_state(const std::filesystem::path& folder) {
  const std::string where = folder.empty() ? "." : folder.string();
  try {
    const auto head = base::run_child({"git", "-C", where, "rev-parse", "HEAD"}, 10);
    if (!head.status.is_success()) return {};
    // Without the monitor of files that git may start and leave running: it would look like a
    // plugin's doing, and be ended with the run.
    const auto changes = base::run_child(
        {"git", "-c", "core.fsmonitor=false", "-C", where, "status", "--porcelain"}, 30);
    return {trimmed(head.out),
            changes.status.is_success() ? std::optional(!changes.out.empty()) : std::nullopt};
  } catch (const InternalError&) {
    return {};  // git is not installed: there is no state to record
  }
}

}  // namespace unmask::cli
