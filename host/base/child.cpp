#include "base/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>

#include "base/pipe.hpp"
#include "unmask/errors.hpp"

extern char** environ;  // NOLINT: POSIX says that the program declares it

namespace unmask::base {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what, int error) {
  throw InternalError(what + ": " + std::strerror(error));
}

std::string_view name_of(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

// This process's environment with some variables added or replaced.
std::vector<std::string> merged_environment(const std::vector<std::string>& additions) {
  std::vector<std::string> merged;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const bool is_replaced =
        std::any_of(additions.begin(), additions.end(), [&](const auto& added) {
          return name_of(added) == name_of(*entry);
        });
    if (!is_replaced) merged.emplace_back(*entry);
  }
  merged.insert(merged.end(), additions.begin(), additions.end());
  return merged;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// posix_spawn's two property objects, destroyed in every case.
struct SpawnSettings {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  SpawnSettings() {
    check(::posix_spawn_file_actions_init(&actions));
    check(::posix_spawnattr_init(&attributes));
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  static void check(int error) {
    if (error != 0) fail("cannot prepare the start of a program", error);
  }
};

// True once the process ended; it stays a zombie, so its process id and group id stay its own.
bool has_ended(pid_t pid) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    if (errno != EINTR) return true;
  }
  return info.si_pid != 0;
}

// Append what a non-blocking descriptor holds, up to the limit; closes it at its end.
void drain(UniqueFd& fd, std::string& kept, std::size_t limit, bool& is_truncated) {
  std::array<char, 65536> piece{};
  for (int rounds = 0; fd && rounds < 64; ++rounds) {
    const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
    if (n > 0) {
      const auto size = static_cast<std::size_t>(n);
      const std::size_t room = limit - std::min(limit, kept.size());
      kept.append(piece.data(), std::min(size, room));
      if (size > room) is_truncated = true;
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
      fd.reset();
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace

pid_t spawn(const ChildSpec& spec) {
  UNMASK_CHECK(!spec.argv.empty(), "a program without a name cannot be started");
  SpawnSettings settings;
  int highest = 2;
  for (const auto& [here, there] : spec.fds) highest = std::max(highest, there);

  // Copies above every number used in the child: no later step can overwrite an earlier one's
  // source.
  std::vector<UniqueFd> copies;
  for (const auto& [here, there] : spec.fds) {
    copies.emplace_back(::fcntl(here, F_DUPFD_CLOEXEC, highest + 1));
    if (!copies.back()) fail("cannot pass a descriptor to " + spec.argv[0], errno);
  }
  for (int fd = 0; fd <= highest; ++fd) {
    const auto named = std::find_if(
        spec.fds.begin(), spec.fds.end(), [&](const auto& pair) { return pair.second == fd; });
    if (named != spec.fds.end()) {
      const auto& copy = copies[static_cast<std::size_t>(named - spec.fds.begin())];
      SpawnSettings::check(::posix_spawn_file_actions_adddup2(&settings.actions, copy.get(), fd));
    } else if (fd <= 2) {
      SpawnSettings::check(::posix_spawn_file_actions_addopen(
          &settings.actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0));
    } else {
      SpawnSettings::check(::posix_spawn_file_actions_addclose(&settings.actions, fd));
    }
  }
  SpawnSettings::check(::posix_spawn_file_actions_addclosefrom_np(&settings.actions, highest + 1));

  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  SpawnSettings::check(::posix_spawnattr_setsigmask(&settings.attributes, &none));
  SpawnSettings::check(::posix_spawnattr_setsigdefault(&settings.attributes, &all));
  SpawnSettings::check(::posix_spawnattr_setpgroup(&settings.attributes, 0));
  const int flags =
      POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (spec.own_group ? POSIX_SPAWN_SETPGROUP : 0);
  SpawnSettings::check(::posix_spawnattr_setflags(&settings.attributes, static_cast<short>(flags)));

  const std::vector<std::string> environment = merged_environment(spec.env);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid,
                                   spec.argv[0].c_str(),
                                   &settings.actions,
                                   &settings.attributes,
                                   pointers(spec.argv).data(),
                                   pointers(environment).data());
  if (error != 0) fail("cannot start " + spec.argv[0], error);
  return pid;
}

ExitStatus exit_status(int wait_status) {
  ExitStatus status;
  if (WIFEXITED(wait_status)) status.exit_code = WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) status.signal = WTERMSIG(wait_status);
  return status;
}

std::string describe(const ExitStatus& status) {
  if (status.exit_code) return "exited with code " + std::to_string(*status.exit_code);
  if (!status.signal) return "ended for an unknown reason";
  std::string text = "killed by signal " + std::to_string(*status.signal);
  const char* name = ::sigdescr_np(*status.signal);
  if (name != nullptr) text += " (" + std::string(name) + ")";
  return text;
}

UniqueFd memory_file(std::string_view bytes) {
  UniqueFd file(::memfd_create("unmask", MFD_CLOEXEC));
  if (!file) fail("cannot make a file in memory", errno);
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      fail("cannot fill a file in memory", errno);
    }
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) fail("cannot rewind a file in memory", errno);
  return file;
}

ChildOutput run_child(const std::vector<std::string>& argv,
                      double timeout_s,
                      std::size_t limit_bytes,
                      const std::vector<std::string>& env,
                      std::string_view input) {
  Pipe out, err;
  const UniqueFd in = memory_file(input);
  ChildSpec spec;
  spec.argv = argv;
  spec.env = env;
  spec.fds = {{in.get(), 0}, {out.writer.get(), 1}, {err.writer.get(), 2}};
  spec.own_group = true;
  const pid_t pid = spawn(spec);
  out.writer.reset();
  err.writer.reset();

  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(timeout_s));
  ChildOutput result;
  int pause_ms = 1;
  while (!has_ended(pid)) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      result.timed_out = true;
      break;
    }
    // The end of a process is not an event for poll, so it is looked for with growing pauses; what
    // the process prints ends a pause early.
    std::array<pollfd, 2> entries{pollfd{out.reader.get(), POLLIN, 0},
                                  pollfd{err.reader.get(), POLLIN, 0}};
    const auto wait = static_cast<int>(std::min<std::int64_t>(left, pause_ms));
    const int ready = ::poll(entries.data(), entries.size(), wait);
    pause_ms = ready > 0 ? 1 : std::min(pause_ms * 2, 50);
    drain(out.reader, result.out, limit_bytes, result.is_truncated);
    drain(err.reader, result.err, limit_bytes, result.is_truncated);
  }

  ::kill(-pid, SIGKILL);
  int wait_status = 0;
  while (::waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  drain(out.reader, result.out, limit_bytes, result.is_truncated);
  drain(err.reader, result.err, limit_bytes, result.is_truncated);
  result.status = exit_status(wait_status);
  return result;
}

}  // namespace unmask::base
