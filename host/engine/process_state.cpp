#include "engine/process_state.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cfenv>
#include <clocale>
#include <cstdlib>
#include <limits>
#include <locale>
#include <map>
#include <utility>

#include <ATen/ThreadLocalState.h>
#include <c10/core/DefaultDtype.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/unique_fd.hpp"

namespace unmask::engine {
namespace {

constexpr int kSignals = 31;  // the ordinary ones, from 1

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos)
      result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

void set_environment(const std::map<std::string, std::string>& wanted) {
  for (const auto& [name, value] : environment()) {
    if (!wanted.contains(name)) ::unsetenv(name.c_str());
  }
  for (const auto& [name, value] : wanted) ::setenv(name.c_str(), value.c_str(), 1);
}

mode_t creation_mask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

// The compiler must not compute these at build time.
bool flushes_denormals() {
  volatile float smallest = std::numeric_limits<float>::min();
  volatile float half = smallest / 2;
  return half == 0;
}

sigset_t blocked_signals() {
  sigset_t set;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &set);
  return set;
}

bool are_equal(const sigset_t& a, const sigset_t& b) {
  for (int number = 1; number <= kSignals; ++number) {
    if (::sigismember(&a, number) != ::sigismember(&b, number)) return false;
  }
  return true;
}

using Actions = std::array<struct sigaction, kSignals + 1>;

Actions signal_actions() {
  Actions actions{};
  for (int number = 1; number <= kSignals; ++number) {
    ::sigaction(number, nullptr, &actions.at(static_cast<std::size_t>(number)));
  }
  return actions;
}

bool is_same_file(int folder, const char* path) {
  struct stat a {};
  struct stat b {};
  return ::fstat(folder, &a) == 0 && ::stat(path, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

}  // namespace

// One thing that can change.
struct ProcessState::Aspect {
  std::string name;
  std::function<bool()> has_changed;
  std::function<void()> set_back;
};

struct ProcessState::Baseline {
  Baseline() {
    std::fegetenv(&floating_point);
    ::getrlimit(RLIMIT_NOFILE, &open_files);
  }

  pid_t process = ::getpid();
  std::fenv_t floating_point{};
  int rounding = std::fegetround();
  int traps = ::fegetexcept();
  bool is_flushing = flushes_denormals();
  std::string c_locale = std::setlocale(LC_ALL, nullptr);
  std::locale locale;
  caffe2::TypeMeta dtype = c10::get_default_dtype();
  at::ThreadLocalState modes;
  bool has_gradients = at::GradMode::is_enabled();
  bool is_inference = c10::InferenceMode::is_enabled();
  int threads = at::get_num_threads();
  sigset_t blocked = blocked_signals();
  Actions actions = signal_actions();
  base::UniqueFd folder{::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  mode_t mask = creation_mask();
  rlimit open_files{};
  std::map<std::string, std::string> variables = environment();
};

// Long: a table, one row for everything that a plugin can leave changed.
ProcessState::ProcessState() : baseline_(std::make_unique<Baseline>()) {
  const Baseline& at_start = *baseline_;
  aspects_ = {
      {"the floating-point environment (rounding, traps, small numbers)",
       [&] {
         return std::fegetround() != at_start.rounding || ::fegetexcept() != at_start.traps ||
                flushes_denormals() != at_start.is_flushing;
       },
       [&] { std::fesetenv(&at_start.floating_point); }},
      {"the locale",
       [&] {
         return std::setlocale(LC_ALL, nullptr) != at_start.c_locale ||
                std::locale() != at_start.locale;
       },
       [&] {
         std::locale::global(at_start.locale);
         std::setlocale(LC_ALL, at_start.c_locale.c_str());
       }},
      {"LibTorch's default type",
       [&] { return c10::get_default_dtype() != at_start.dtype; },
       [&] { c10::set_default_dtype(at_start.dtype); }},
      {"LibTorch's gradient or inference mode",
       [&] {
         return at::GradMode::is_enabled() != at_start.has_gradients ||
                c10::InferenceMode::is_enabled() != at_start.is_inference;
       },
       [&] { at::ThreadLocalState::setThreadLocalState(at_start.modes); }},
      {"the number of threads",
       [&] { return at::get_num_threads() != at_start.threads; },
       [&] { at::set_num_threads(at_start.threads); }},
      {"the signal mask",
       [&] { return !are_equal(blocked_signals(), at_start.blocked); },
       [&] { ::pthread_sigmask(SIG_SETMASK, &at_start.blocked, nullptr); }},
      {"what signals do",
       [&] {
         const Actions now = signal_actions();
         return !std::equal(
             now.begin(), now.end(), at_start.actions.begin(), [](const auto& a, const auto& b) {
               return a.sa_handler == b.sa_handler;
             });
       },
       [&] {
         for (int number = 1; number <= kSignals; ++number) {
           ::sigaction(number, &at_start.actions.at(static_cast<std::size_t>(number)), nullptr);
         }
       }},
      {"the working folder",
       [&] { return at_start.folder.get() >= 0 && !is_same_file(at_start.folder.get(), "."); },
       [&] { static_cast<void>(::fchdir(at_start.folder.get()) == 0); }},
      {"the file creation mask",
       [&] { return creation_mask() != at_start.mask; },
       [&] { ::umask(at_start.mask); }},
      {"the number of files that may be open",
       [&] {
         rlimit now{};
         ::getrlimit(RLIMIT_NOFILE, &now);
         return now.rlim_cur != at_start.open_files.rlim_cur;
       },
       [&] { ::setrlimit(RLIMIT_NOFILE, &at_start.open_files); }},
      {"environment variables",
       [&] { return environment() != at_start.variables; },
       [&] { set_environment(at_start.variables); }},
  };
}

ProcessState::~ProcessState() = default;

void ProcessState::restore(const std::string& who) {
  if (::getpid() != baseline_->process) ::_exit(0);
  std::vector<std::string> changed;
  for (const Aspect& aspect : aspects_) {
    if (!aspect.has_changed()) continue;
    aspect.set_back();
    changed.push_back(aspect.name);
  }
  if (changed.empty()) return;
  std::string text = who + " changed ";
  for (std::size_t i = 0; i < changed.size(); ++i) {
    text += (i == 0 ? "" : i + 1 < changed.size() ? ", " : " and ") + changed[i];
  }
  complaints_.push_back(text + " of its process");
}

std::vector<std::string> ProcessState::take_complaints() {
  return std::exchange(complaints_, {});
}

}  // namespace unmask::engine
