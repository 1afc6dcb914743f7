// The `unmask` executable: finds the command, turns errors into one message and an exit code.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <system_error>
#include <tuple>

#include "base/terminal.hpp"
#include "cli/command_table.hpp"
#include "cli/host_context.hpp"
#include "unmask/errors.hpp"

namespace {

// A program may be started with standard descriptors closed. The next file that it opens would get
// such a number, and what is printed would go into that file. Now each of them is open, in the
// direction in which nobody uses it, so that using it fails as it would have failed before.
void guard_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // takes the lowest free number
  }
}

// What a shell says of a program that SIGPIPE ended; where somebody had that signal ignored, too.
constexpr int kEndedByPipe = 128 + SIGPIPE;

// A pipe or socket whose other end is closed.
bool has_lost_its_reader(int fd) {
  pollfd end{fd, POLLOUT, 0};
  return ::poll(&end, 1, 0) == 1 && (end.revents & (POLLERR | POLLHUP)) != 0;
}

void complain(const char* what) {
  using namespace unmask::base;  // NOLINT(google-build-using-namespace): one line
  std::cerr << painted("unmask:", Color::kRed, wants_color(STDERR_FILENO)) << " " << what << "\n";
}

void expect_working_folder() {
  std::error_code error;
  std::ignore = std::filesystem::current_path(error);
  if (error) {
    throw unmask::UsageError("the working folder cannot be used (" + error.message() +
                             "); it was removed or renamed: change to one that exists");
  }
}

}  // namespace

int main(int argc, char** argv) {
  guard_standard_descriptors();
  // A file that reaches a limit of its size (`ulimit -f`) is to fail like one on a full disk, in
  // words, and not to end the process.
  ::signal(SIGXFSZ, SIG_IGN);
  try {
    if (argc > 1 && std::strcmp(argv[1], unmask::cli::kEngineCommand) == 0) {
      return unmask::cli::run_engine(
          std::filesystem::read_symlink("/proc/self/exe"), argc - 2, argv + 2);
    }
    const std::string name = argc > 1 ? argv[1] : "";
    if (name.empty() || name == "--help" || name == "-h") {
      (name.empty() ? std::cerr : std::cout) << unmask::cli::overview_text();
      return name.empty() ? static_cast<int>(unmask::ExitCode::kUsage) : 0;
    }
    if (name == "--version") {
      std::cout << "unmask " UNMASK_VERSION "\n";
      return 0;
    }
    expect_working_folder();
    const int code = unmask::cli::find_command(name).function({argv + 2, argv + argc});
    std::cout.flush();
    // Whoever read has seen enough (`| head`): that is no error of anybody.
    if (!std::cout && has_lost_its_reader(STDOUT_FILENO)) return kEndedByPipe;
    // A full disk behind a redirection must not pass for success.
    if (!std::cout)
      throw unmask::Error(unmask::ExitCode::kStore, "cannot write to standard output");
    return code;
  } catch (const unmask::Error& error) {
    complain(error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    complain("out of memory");
  } catch (const std::exception& error) {
    complain(error.what());
  }
  return static_cast<int>(unmask::ExitCode::kInternal);
}
