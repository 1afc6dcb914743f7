#include "base/left_behind.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace unmask::base {
namespace {

namespace fs = std::filesystem;

// Parent of a process, from /proc/PID/stat: "PID (name) state PPID ..."; the name may hold anything.
pid_t parent_of(const fs::path& folder) {
  std::ifstream in(folder / "stat");
  std::string text;
  std::getline(in, text, '\0');
  const auto end = text.rfind(')');
  // "S 17 ..." behind it
  if (end == std::string::npos || text.size() < end + 5) return -1;
  pid_t parent = -1;
  std::from_chars(text.data() + end + 4, text.data() + text.size(), parent);
  return parent;
}

std::vector<pid_t> children() {
  std::vector<pid_t> found;
  std::error_code error;
  for (fs::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    pid_t pid = -1;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) continue;
    if (parent_of(at->path()) == ::getpid()) found.push_back(pid);
  }
  return found;
}

}  // namespace

LeftBehind::LeftBehind() : earlier_(children()) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

LeftBehind::~LeftBehind() {
  end_all();
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

std::size_t LeftBehind::end_all(const std::vector<pid_t>& spared) {
  const std::size_t before = count_;
  const auto is_known = [&](pid_t pid) {
    return std::count(earlier_.begin(), earlier_.end(), pid) > 0 ||
           std::count(spared.begin(), spared.end(), pid) > 0;
  };
  for (;;) {
    std::vector<pid_t> left = children();
    std::erase_if(left, is_known);
    if (left.empty()) return count_ - before;
    for (const pid_t pid : left) {
      ::kill(pid, SIGKILL);
      int status = 0;
      while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
      }
      // One that had ended by itself and only waited to be reaped is nothing to speak of.
      if (WIFSIGNALED(status)) ++count_;
    }
  }
}

}  // namespace unmask::base
