#include "watch/writer.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <optional>
#include <sstream>

namespace unmask::watch {
namespace {

// Clocks of the kernel and of the run may differ by as much; numbers of processes are not given
// again so soon.
constexpr double kTolerance = 5;

// When a process began, seconds since 1970; nullopt when it is gone, or only waits to be reaped.
std::optional<double> birth_of(std::int64_t pid, bool& is_known) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  const std::size_t name_end = text.rfind(')');
  is_known = name_end != std::string::npos;
  if (!is_known) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string state, skipped;
  fields >> state;
  if (state == "Z" || state == "X") return std::nullopt;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  double ticks = 0, uptime = 0;
  fields >> ticks;
  std::ifstream("/proc/uptime") >> uptime;
  return unix_now() - uptime + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

Writer look_for_writer(std::int64_t pid, const std::string& host, double started_at) {
  std::array<char, 256> name{};
  if (!host.empty() && ::gethostname(name.data(), name.size() - 1) == 0 && host != name.data()) {
    return Writer::kElsewhere;
  }
  if (::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return Writer::kGone;
  bool is_known = false;
  const std::optional<double> birth = birth_of(pid, is_known);
  if (!is_known) return Writer::kAlive;  // hidden from us, but it is there
  return birth && *birth <= started_at + kTolerance ? Writer::kAlive : Writer::kGone;
}

double seconds_of(const std::string& utc) {
  std::tm parts{};
  int milliseconds = 0;
  if (std::sscanf(utc.c_str(),
                  "%d-%d-%dT%d:%d:%d.%dZ",
                  &parts.tm_year,
                  &parts.tm_mon,
                  &parts.tm_mday,
                  &parts.tm_hour,
                  &parts.tm_min,
                  &parts.tm_sec,
                  &milliseconds) < 6) {
    return 0;
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return static_cast<double>(::timegm(&parts)) + milliseconds / 1000.0;
}

double unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace unmask::watch
