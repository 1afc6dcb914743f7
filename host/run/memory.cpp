#include "run/memory.hpp"

#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace unmask::run {
namespace {

// The number behind a word in a file of lines "word number"; 0 when it is not there.
std::int64_t number_behind(const std::string& word, const std::string& file) {
  std::ifstream lines(file);
  std::string name;
  for (std::int64_t value = 0; lines >> name >> value;) {
    if (name == word) return value;
  }
  return 0;
}

// Where the files of this process's control group are (version 2 alone counts kills).
std::string control_group() {
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::")) return "/sys/fs/cgroup" + line.substr(3);
  }
  return "/sys/fs/cgroup";
}

}  // namespace

std::int64_t resident_bytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::int64_t size = 0, resident = 0;
  return file >> size >> resident ? resident * ::sysconf(_SC_PAGESIZE) : 0;
}

std::int64_t memory_kills() {
  static const std::string events = control_group() + "/memory.events";
  return number_behind("oom_kill", "/proc/vmstat") + number_behind("oom_kill", events);
}

std::string memory_text(std::int64_t bytes) {
  constexpr double kMib = 1 << 20;
  const double mib = static_cast<double>(bytes) / kMib;
  char text[32];
  std::snprintf(
      text, sizeof text, mib < 1024 ? "%.0f MiB" : "%.1f GiB", mib < 1024 ? mib : mib / 1024);
  return text;
}

}  // namespace unmask::run
