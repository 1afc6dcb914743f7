// The `unmask` executable: finds the command, turns errors into one message and an exit code.

#include <fcntl.h>
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

#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace {

struct Command {
  const char* name;
  int (*function)(const unmask::cli::Arguments&);
  const char* summary;
};

constexpr Command kCommands[] = {
    {"check", unmask::cli::command_check, "validate a manifest and name every error in it"},
    {"plan",
     unmask::cli::command_plan,
     "show what a manifest asks for, what is stored, what will run"},
    {"run", unmask::cli::command_run, "run what is missing of a manifest and record it"},
    {"status", unmask::cli::command_status, "show how much of a manifest is done, and what failed"},
    {"exec",
     unmask::cli::command_exec,
     "execute one stored cell in this process, without recording it"},
    {"import",
     unmask::cli::command_import,
     "make a safetensors file from elsewhere fit a model, and check that it does"},
    {"query", unmask::cli::command_query, "ask the database: a named query or SQL"},
    {"verdict",
     unmask::cli::command_verdict,
     "say whether gradients are masked, why, and what evidence is missing"},
    {"judge",
     unmask::cli::command_judge,
     "judge one network: attack it, measure it, say whether its gradient is masked"},
    {"samples",
     unmask::cli::command_samples,
     "show what an attack did to each sample, as a table and a picture"},
    {"db",
     unmask::cli::command_db,
     "what a database is and holds; copies of it; remove what nothing refers to"},
    {"plugins", unmask::cli::command_plugins, "list, show and check plugins"},
    {"schema", unmask::cli::command_schema, "print the JSON Schema of manifests, for editors"},
    {"doctor", unmask::cli::command_doctor, "show LibTorch, BLAS, devices, SQLite, plugin folders"},
};

void print_help(std::ostream& out) {
  out << "unmask " UNMASK_VERSION
         " - tells whether a classifier is robust or merely hides its gradients\n\n"
         "usage: unmask COMMAND [ARGUMENTS] [--help]\n\n";
  for (const Command& command : kCommands) {
    out << "  " << command.name << std::string(10 - std::strlen(command.name), ' ')
        << command.summary << "\n";
  }
  out << "\nexit codes: 0 done, 1 some cells failed, 2 usage, 3 manifest or data, 4 plugin, 5 "
         "database, "
         "70 bug\n";
}

int run_command(const std::string& name, const unmask::cli::Arguments& arguments) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (name == command.name) return command.function(arguments);
    names.emplace_back(command.name);
  }

  throw unmask::UsageError("unknown command \"" + name + "\"\n" +
                           unmask::words::help_for_unknown(name, names, "commands"));
}

// A program may be started with standard descriptors closed. The next file that it opens would get
// such a number, and what is printed would go into that file. Now each of them is open, in the
// direction in which nobody uses it, so that using it fails as it would have failed before.
void guard_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // takes the lowest free number
  }
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
    if (name.empty() || name == "--help" || name == "-h" || name == "help") {
      print_help(name.empty() ? std::cerr : std::cout);
      return name.empty() ? static_cast<int>(unmask::ExitCode::kUsage) : 0;
    }
    if (name == "--version") {
      std::cout << "unmask " UNMASK_VERSION "\n";
      return 0;
    }
    expect_working_folder();
    const int code = run_command(name, {argv + 2, argv + argc});
    std::cout.flush();
    // A full disk behind a redirection must not pass for success.
    if (!std::cout)
      throw unmask::Error(unmask::ExitCode::kStore, "cannot write to standard output");
    return code;
  } catch (const unmask::Error& error) {
    std::cerr << "unmask: " << error.what() << "\n";
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    std::cerr << "unmask: out of memory\n";
  } catch (const std::exception& error) {
    std::cerr << "unmask: " << error.what() << "\n";
  }
  return static_cast<int>(unmask::ExitCode::kInternal);
}
