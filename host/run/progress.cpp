#include "run/progress.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "base/terminal.hpp"
#include "run/json_progress.hpp"
#include "run/plain_progress.hpp"
#include "run/terminal_progress.hpp"
#include "unmask/errors.hpp"

namespace unmask::run {
namespace {

using wire::Cell;
using wire::CellFailure;
using wire::CellResult;

double steady_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ProgressOutput with_defaults(ProgressOutput output) {
  if (output.people == nullptr) {
    output.people = &std::cerr;
    output.has_colors = base::wants_color(STDERR_FILENO);
  }
  if (output.programs == nullptr) output.programs = &std::cout;
  if (!output.is_terminal) output.is_terminal = [] { return base::is_redrawable(STDERR_FILENO); };
  if (!output.width) output.width = [] { return base::terminal_columns(STDERR_FILENO); };
  if (!output.now) output.now = steady_now;
  return output;
}

class NoProgress final : public Progress {
 public:
  void run_started(const RunOutline&) override {}
  void worker_started(int, int, const std::string&) override {}
  void cell_started(int, const Cell&, int) override {}
  void cell_progress(int, const Cell&, std::int64_t, std::int64_t, const std::string&) override {}
  void cell_done(int, const Cell&, const CellResult&) override {}
  void cell_failed(int, const Cell&, const CellFailure&, bool) override {}
  void cell_skipped(const Cell&, const std::string&) override {}
  void cell_again(const Cell&) override {}
  void notice(const std::string&) override {}
  void tick() override {}
  void run_finished(const RunSummary&) override {}
};

}  // namespace

Progress::~Progress() = default;

void Progress::cells_skipped(const std::vector<const wire::Cell*>& cells,
                             const std::string& reason) {
  for (const wire::Cell* cell : cells) cell_skipped(*cell, reason);
}

void Progress::cell_joined(int, const wire::Cell&) {}
void Progress::cell_left(int, const wire::Cell&) {}

ProgressMode parse_progress_mode(const std::string& text) {
  if (text == "auto") return ProgressMode::kAuto;
  if (text == "terminal") return ProgressMode::kTerminal;
  if (text == "plain") return ProgressMode::kPlain;
  if (text == "json") return ProgressMode::kJson;
  if (text == "none") return ProgressMode::kNone;
  throw UsageError("--progress is auto, terminal, plain, json or none, not \"" + text + "\"");
}

std::unique_ptr<Progress> make_progress(ProgressMode mode, ProgressOutput output) {
  output = with_defaults(std::move(output));
  if (mode == ProgressMode::kAuto) {
    mode = output.is_terminal() ? ProgressMode::kTerminal : ProgressMode::kPlain;
  }
  switch (mode) {
    case ProgressMode::kTerminal: return make_terminal_progress(std::move(output));
    case ProgressMode::kPlain: return make_plain_progress(std::move(output));
    case ProgressMode::kJson: return make_json_progress(std::move(output));
    case ProgressMode::kNone:
    case ProgressMode::kAuto: break;
  }
  return std::make_unique<NoProgress>();
}

std::string duration_text(double seconds) {
  std::array<char, 48> text{};
  if (!(seconds > 0)) seconds = 0;
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (seconds < 9.95) {
    std::snprintf(text.data(), text.size(), "%.1fs", seconds);
  } else if (whole < 60) {
    std::snprintf(text.data(), text.size(), "%llds", whole);
  } else if (whole < 3600) {
    std::snprintf(text.data(), text.size(), "%lldm%02llds", whole / 60, whole % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%lldh%02lldm", whole / 3600, whole / 60 % 60);
  }
  return text.data();
}

}  // namespace unmask::run
