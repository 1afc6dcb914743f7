#include "cli/follow.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "base/terminal.hpp"
#include "run/progress.hpp"
#include "run/progress_text.hpp"
#include "store/store.hpp"
#include "store/watching.hpp"
#include "unmask/errors.hpp"
#include "watch/overview.hpp"
#include "watch/writer.hpp"

namespace unmask::cli {
namespace {

constexpr std::size_t kMostFailures = 100;

// A plain log says at least so often that time passes.
constexpr double kQuietLimit = 60;  // seconds

std::string worker_line(const watch::Overview& overview, std::size_t i) {
  const run::LiveWorker& worker = overview.workers[i];
  std::string line = run::duration_text(watch::unix_now() - overview.started_at[i]);
  if (worker.worker > 0) line.insert(0, std::to_string(worker.worker) + " ");
  if (worker.total > 0) {
    line += " " + std::to_string(worker.done) + "/" + std::to_string(worker.total);
  }
  if (!worker.note.empty()) line += " " + run::one_line(worker.note);
  return line + "  " + worker.title + run::attempt_text(worker.attempt);
}

std::string end_text(const watch::Overview& overview) {
  const std::string line = watch::status_line(overview);
  switch (overview.state) {
    case watch::RunState::kEnded:
      return overview.exit_code() == 0 ? "done: " + line : "ended incomplete: " + line;
    case watch::RunState::kInterrupted: return "the run was interrupted: " + line;
    default:
      return "the run ended without a word (process " + std::to_string(overview.run.pid) +
             " is gone): " + line + "; the same unmask run goes on where it stopped";
  }
}

// What is printed, and where the cursor is.
class Screen {
 public:
  Screen() : is_redrawn_(base::is_redrawable(STDOUT_FILENO)) {}

  void say(const std::string& text, base::Color color) {
    erase();
    std::cout << base::painted(text, color, base::wants_color(STDOUT_FILENO)) << "\n" << std::flush;
  }

  void say(const std::string& text) {
    erase();
    std::cout << text << "\n" << std::flush;
  }

  void show(const watch::Overview& overview) {
    const std::string line = watch::status_line(overview);
    if (!is_redrawn_) return log(overview, line);
    // One column stays free: a full line would make some terminals begin the next one.
    const int width = base::terminal_columns(STDOUT_FILENO) - 1;
    std::string text = erasure();
    for (std::size_t i = 0; i < overview.workers.size(); ++i) {
      text += run::fit(worker_line(overview, i), width) + "\n";
    }
    text += run::fit(line, width) + "\n";
    lines_drawn_ = overview.workers.size() + 1;
    std::cout << text << std::flush;
  }

 private:
  // Time passes in every line; only what happened is worth another one.
  void log(const watch::Overview& overview, const std::string& line) {
    const store::RunCount& c = overview.counts;
    const std::vector<std::int64_t> now{c.ran, c.failed, c.skipped, c.planned};
    const double time = watch::unix_now();
    if (now == logged_ && time - logged_at_ < kQuietLimit) return;
    logged_ = now;
    logged_at_ = time;
    std::cout << line << "\n" << std::flush;
  }
  std::string erasure() const {
    if (lines_drawn_ == 0) return "";
    return "\x1b[" + std::to_string(lines_drawn_) + "A\r\x1b[J";
  }
  void erase() {
    std::cout << erasure();
    lines_drawn_ = 0;
  }

  bool is_redrawn_;
  std::size_t lines_drawn_ = 0;
  std::vector<std::int64_t> logged_;
  double logged_at_ = 0;
};

// Failures that were not told yet, the earliest first.
class Failures {
 public:
  void tell(const store::Store& store, const watch::Overview& overview, Screen& screen) {
    auto found = store::failed_tries(store, overview.run, kMostFailures);
    std::reverse(found.begin(), found.end());
    for (const store::FailedTry& failure : found) {
      if (!told_.insert(failure.key + " " + std::to_string(failure.attempt)).second) continue;
      screen.say("FAILED " + failure.title + run::attempt_text(static_cast<int>(failure.attempt)) +
                     ": " + failure.failure_class + ": " + run::one_line(failure.message),
                 base::Color::kRed);
    }
  }

 private:
  std::set<std::string> told_;
};

}  // namespace

int follow(const std::filesystem::path& database, const std::string& study, double interval) {
  const store::Store store = store::Store::open_reader(database);
  Screen screen;
  Failures failures;
  for (bool is_first = true;; is_first = false) {
    const std::optional<watch::Overview> overview = watch::look(store, study);
    if (!overview) {
      throw StoreError(study.empty()
                           ? store.file().string() + " holds no run yet; unmask run begins one"
                           : "there is no run of the study \"" + study + "\" in " +
                                 store.file().string());
    }
    if (is_first) screen.say("study " + overview->run.study);
    failures.tell(store, *overview, screen);
    if (overview->is_over()) {
      const int code = overview->exit_code();
      screen.say(end_text(*overview), code == 0 ? base::Color::kGreen : base::Color::kRed);
      return code;
    }
    screen.show(*overview);
    if (!std::cout) return 0;  // whoever read has seen enough; main() says so
    std::this_thread::sleep_for(std::chrono::duration<double>(interval));
  }
}

}  // namespace unmask::cli
