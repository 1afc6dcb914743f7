#include "run/memory.hpp"

#include <unistd.h>

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
  static const std::string kEvents = control_group() + "/memory.events";
  return number_behind("oom_kill", "/proc/vmstat") + number_behind("oom_kill", kEvents);
}

std::string memory_text(std::int64_t bytes) {
  constexpr std::int64_t kKib = 1 << 10, kMib = 1 << 20, kGib = 1 << 30;
  if (bytes < kKib) return std::to_string(bytes) + " bytes";
  if (bytes < kMib) return std::to_string(bytes / kKib) + " KiB";
  if (bytes < kGib) return std::to_string(bytes / kMib) + " MiB";
  const std::int64_t tenths = bytes * 10 / kGib;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GiB";
}

}  // namespace unmask::run
