// Whatever a plugin leaves changed in its process is set back and has a name.

#include "engine/process_state.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cfenv>
#include <clocale>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <limits>
#include <locale>

#include <torch/types.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

namespace unmask::engine::process_state_test {
namespace {

struct Case {
  const char* name;
  const char* told;  // part of the sentence
  std::function<void()> change;
  std::function<bool()> is_as_before;
};

class Comma final : public std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
};

std::vector<Case> cases() {
  static const std::filesystem::path folder = std::filesystem::current_path();
  static const mode_t mask = [] {
    const mode_t now = ::umask(0);
    ::umask(now);
    return now;
  }();
  static rlimit files = [] {
    rlimit now{};
    ::getrlimit(RLIMIT_NOFILE, &now);
    return now;
  }();
  return {
      {"rounding",
       "the floating-point environment",
       [] { std::fesetround(FE_UPWARD); },
       [] { return std::fegetround() == FE_TONEAREST; }},
      {"small numbers",
       "the floating-point environment",
       [] { at::globalContext().setFlushDenormal(true); },
       [] {
         volatile float tiny = std::numeric_limits<float>::min();
         tiny = tiny / 2;
         return tiny != 0;
       }},
      {"traps",
       "the floating-point environment",
       [] { ::feenableexcept(FE_DIVBYZERO); },
       [] { return ::fegetexcept() == 0; }},
      {"locale",
       "the locale",
       [] { std::locale::global(std::locale(std::locale::classic(), new Comma)); },
       [] { return std::locale() == std::locale::classic(); }},
      {"C locale",
       "the locale",
       [] { std::setlocale(LC_ALL, "C.UTF-8"); },
       [] { return std::string(std::setlocale(LC_ALL, nullptr)) == "C"; }},
      {"default type",
       "LibTorch's default type",
       [] { torch::set_default_dtype(caffe2::TypeMeta::Make<double>()); },
       [] { return at::ones({1}).scalar_type() == at::kFloat; }},
      {"gradient mode",
       "gradient or inference mode",
       [] { at::GradMode::set_enabled(false); },
       [] { return at::GradMode::is_enabled(); }},
      {"inference mode",
       "gradient or inference mode",
       [] {
         static c10::InferenceMode* const leaked = new c10::InferenceMode(true);
         static_cast<void>(leaked);
       },
       [] {
         return !c10::InferenceMode::is_enabled() && !at::ones({1}).is_inference() &&
                at::GradMode::is_enabled();
       }},
      {"threads",
       "the number of threads",
       [] { at::set_num_threads(at::get_num_threads() + 1); },
       [] { return true; }},
      {"signal mask",
       "the signal mask",
       [] {
         sigset_t all;
         ::sigfillset(&all);
         ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
       },
       [] {
         sigset_t now;
         ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
         return ::sigismember(&now, SIGTERM) == 0;
       }},
      {"signals",
       "what signals do",
       [] { ::signal(SIGTERM, SIG_IGN); },
       [] {
         struct sigaction now {};
         ::sigaction(SIGTERM, nullptr, &now);
         return now.sa_handler == SIG_DFL;
       }},
      {"working folder",
       "the working folder",
       [] { ASSERT_EQ(::chdir("/"), 0); },
       [] { return std::filesystem::current_path() == folder; }},
      {"file mask",
       "the file creation mask",
       [] { ::umask(0777); },
       [] {
         const mode_t now = ::umask(mask);
         return now == mask;
       }},
      {"open files",
       "the number of files that may be open",
       [] {
         rlimit few = files;
         few.rlim_cur = 64;
         ::setrlimit(RLIMIT_NOFILE, &few);
       },
       [] {
         rlimit now{};
         ::getrlimit(RLIMIT_NOFILE, &now);
         return now.rlim_cur == files.rlim_cur;
       }},
      {"environment",
       "environment variables",
       [] {
         ::setenv("UNMASK_TEST_VARIABLE", "1", 1);
         ::unsetenv("PATH");
       },
       [] {
         return std::getenv("UNMASK_TEST_VARIABLE") == nullptr && std::getenv("PATH") != nullptr;
       }},
  };
}

TEST(ProcessState, SetsBackWhatChangedAndNamesWho) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.name);
    ProcessState process;

    one.change();
    process.restore("attack evil");

    EXPECT_TRUE(one.is_as_before());
    const auto complaints = process.take_complaints();
    ASSERT_EQ(complaints.size(), 1u);
    EXPECT_EQ(complaints[0].rfind("attack evil changed ", 0), 0u) << complaints[0];
    EXPECT_NE(complaints[0].find(one.told), std::string::npos) << complaints[0];
    // Once is enough.
    process.restore("attack other");
    EXPECT_TRUE(process.take_complaints().empty());
  }
}

TEST(ProcessState, SaysNothingWhereNothingChanged) {
  ProcessState process;
  const at::Tensor product = at::mm(at::rand({64, 64}), at::rand({64, 64}));

  process.restore("attack pgd");

  EXPECT_EQ(product.numel(), 64 * 64);
  EXPECT_TRUE(process.take_complaints().empty());
}

TEST(ProcessState, EndsAForkedChildThatReturns) {
  ProcessState process;
  const pid_t child = ::fork();
  if (child == 0) {
    process.restore("attack forking");
    ::_exit(7);  // not reached
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);

  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace unmask::engine::process_state_test
