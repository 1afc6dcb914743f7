#include "run/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "run/runner.hpp"
#include "unmask/errors.hpp"

namespace unmask::run {
namespace {

using nlohmann::json;
using wire::Cell;
using wire::CellFailure;
using wire::CellResult;

constexpr double kRedrawInterval = 0.2;  // seconds
constexpr std::size_t kShownTailLines = 5;

double steady_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

// Standard error is a terminal that understands how to move the cursor.
bool is_redrawable_terminal() {
  const char* kind = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): nobody sets variables
  return ::isatty(STDERR_FILENO) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
}

ProgressOutput with_defaults(ProgressOutput output) {
  if (output.people == nullptr) output.people = &std::cerr;
  if (output.programs == nullptr) output.programs = &std::cout;
  if (!output.is_terminal) output.is_terminal = is_redrawable_terminal;
  if (!output.width) output.width = terminal_width;
  if (!output.now) output.now = steady_now;
  return output;
}

// The first `columns` characters of a line; a cut line ends in "~". Characters are counted as code
// points, which is right for all that is printed here.
std::string fit(std::string_view line, int columns) {
  const auto limit = static_cast<std::size_t>(std::max(columns, 1));
  std::size_t characters = 0, kept = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xC0) == 0x80) continue;
    if (characters == limit - 1) kept = i;
    if (++characters > limit) return std::string(line.substr(0, kept)) + "~";
  }
  return std::string(line);
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string worker_name(int slot) {
  return "worker " + std::to_string(slot + 1);
}

// The message of a failure and the end of the worker's log, as lines of text.
std::vector<std::string> failure_lines(const Cell& cell,
                                       const CellFailure& failure,
                                       bool will_retry) {
  std::vector<std::string> lines;
  lines.push_back(wire::title(cell) + ": " + wire::to_string(failure.failure_class) + ": " +
                  first_line(failure.message) + (will_retry ? " (will be tried again)" : ""));
  std::vector<std::string> tail;
  std::string_view rest = failure.log_tail;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    tail.push_back("    | " + std::string(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (tail.size() > kShownTailLines) {
    tail.erase(tail.begin(), tail.end() - static_cast<std::ptrdiff_t>(kShownTailLines));
  }
  lines.insert(lines.end(), tail.begin(), tail.end());
  return lines;
}

std::string summary_text(const RunSummary& s) {
  std::string text = std::to_string(s.ran) + " done";
  const auto add = [&](std::size_t count, const char* what) {
    if (count > 0) text += ", " + std::to_string(count) + " " + what;
  };
  add(s.hit, "already stored");
  add(s.failed, "failed");
  add(s.skipped, "skipped");
  add(s.interrupted, "interrupted");
  add(s.not_run, "not run");
  return text + ", in " + duration_text(s.wall_s);
}

// How many cells are behind and ahead, and how long the rest may take.
class Tally {
 public:
  void start(const RunOutline& outline, double now) {
    outline_ = outline;
    left_ = outline.to_run;
    start_ = now;
  }

  void finished(const Cell& cell, double seconds) {
    Kind& kind = kinds_.at(index(cell));
    kind.seconds += seconds;
    ++kind.count;
    ++done_;
    settle(cell);
  }
  void failed(const Cell& cell) {
    ++failed_;
    settle(cell);
  }
  void skipped(const Cell& cell) {
    ++skipped_;
    settle(cell);
  }

  double elapsed(double now) const { return now - start_; }
  std::size_t settled() const { return done_ + failed_ + skipped_; }
  std::size_t total() const { return outline_.to_run[0] + outline_.to_run[1] + outline_.to_run[2]; }

  /// "about 3m05s"; "over 40s" when some kind of cell has not been seen yet; empty when nothing is
  /// known.
  std::string time_left() const {
    double seconds = 0;
    bool is_lower_bound = false;
    for (std::size_t k = 0; k < kinds_.size(); ++k) {
      if (left_.at(k) == 0) continue;
      if (kinds_.at(k).count == 0) {
        is_lower_bound = true;
      } else {
        seconds += static_cast<double>(left_.at(k)) * kinds_.at(k).seconds /
                   static_cast<double>(kinds_.at(k).count);
      }
    }
    const std::size_t left = left_[0] + left_[1] + left_[2];
    if (left == 0 || seconds <= 0) return "";
    const auto width = std::max<std::size_t>(
        1, std::min<std::size_t>(left, static_cast<std::size_t>(std::max(outline_.workers, 1))));
    return (is_lower_bound ? "over " : "about ") +
           duration_text(seconds / static_cast<double>(width));
  }

  std::string text(double now) const {
    std::string line = std::to_string(settled()) + "/" + std::to_string(total()) + " cells";
    if (failed_ > 0) line += ", " + std::to_string(failed_) + " failed";
    if (skipped_ > 0) line += ", " + std::to_string(skipped_) + " skipped";
    if (outline_.hit > 0) line += ", " + std::to_string(outline_.hit) + " already stored";
    line += ", " + duration_text(elapsed(now)) + " gone";
    const std::string left = time_left();
    if (!left.empty()) line += ", " + left + " left";
    return line;
  }

 private:
  struct Kind {
    double seconds = 0;
    std::size_t count = 0;
  };
  static std::size_t index(const Cell& cell) { return static_cast<std::size_t>(cell.kind); }
  void settle(const Cell& cell) {
    std::size_t& left = left_.at(index(cell));
    if (left > 0) --left;
  }

  RunOutline outline_;
  std::array<std::size_t, 3> left_{};
  std::array<Kind, 3> kinds_{};
  double start_ = 0;
  std::size_t done_ = 0, failed_ = 0, skipped_ = 0;
};

class NoProgress : public Progress {
 public:
  void run_started(const RunOutline&) override {}
  void worker_started(int, int, const std::string&) override {}
  void cell_started(int, const Cell&, int) override {}
  void cell_progress(int, const Cell&, std::int64_t, std::int64_t, const std::string&) override {}
  void cell_done(int, const Cell&, const CellResult&) override {}
  void cell_failed(int, const Cell&, const CellFailure&, bool) override {}
  void cell_skipped(const Cell&, const std::string&) override {}
  void notice(const std::string&) override {}
  void tick() override {}
  void run_finished(const RunSummary&) override {}
};

// One line per event, for logs and pipes.
class PlainProgress : public Progress {
 public:
  explicit PlainProgress(ProgressOutput output) : output_(std::move(output)) {}

  void run_started(const RunOutline& outline) override {
    tally_.start(outline, output_.now());
    print(std::to_string(tally_.total()) + " cells to run, " + std::to_string(outline.hit) +
          " already stored, " + std::to_string(outline.workers) +
          (outline.workers == 1 ? " worker" : " workers"));
  }
  void worker_started(int, int, const std::string&) override {}
  void cell_started(int slot, const Cell& cell, int attempt) override {
    started_[slot] = output_.now();
    print("start  " + worker_name(slot) + "  " + wire::title(cell) +
          (attempt > 1 ? " (attempt " + std::to_string(attempt) + ")" : ""));
  }
  void cell_progress(int, const Cell&, std::int64_t, std::int64_t, const std::string&) override {}
  void cell_done(int slot, const Cell& cell, const CellResult&) override {
    const double seconds = output_.now() - started_[slot];
    tally_.finished(cell, seconds);
    print("done   " + worker_name(slot) + "  " + wire::title(cell) + "  in " +
          duration_text(seconds) + " (" + position() + ")");
  }
  void cell_failed(int slot,
                   const Cell& cell,
                   const CellFailure& failure,
                   bool will_retry) override {
    if (!will_retry) tally_.failed(cell);
    const auto lines = failure_lines(cell, failure, will_retry);
    print("FAILED " + worker_name(slot) + "  " + lines.front());
    for (std::size_t i = 1; i < lines.size(); ++i) *output_.people << lines[i] << '\n';
    output_.people->flush();
  }
  void cell_skipped(const Cell& cell, const std::string& reason) override {
    tally_.skipped(cell);
    print("skip   " + wire::title(cell) + ": " + first_line(reason));
  }
  void notice(const std::string& text) override { print(text); }
  void tick() override {}
  void run_finished(const RunSummary& summary) override { print(summary_text(summary)); }

 private:
  std::string position() const {
    return std::to_string(tally_.settled()) + "/" + std::to_string(tally_.total());
  }
  void print(const std::string& text) {
    *output_.people << '[' << duration_text(tally_.elapsed(output_.now())) << "] " << text
                    << std::endl;
  }

  ProgressOutput output_;
  Tally tally_;
  std::map<int, double> started_;
};

// A block at the bottom of the terminal, one line per worker and one of totals, drawn over itself.
// Failures are printed once above it and stay.
class TerminalProgress : public Progress {
 public:
  explicit TerminalProgress(ProgressOutput output) : output_(std::move(output)) {}
  ~TerminalProgress() override { erase(); }
  TerminalProgress(const TerminalProgress&) = delete;
  TerminalProgress& operator=(const TerminalProgress&) = delete;

  void run_started(const RunOutline& outline) override {
    tally_.start(outline, output_.now());
    workers_.resize(static_cast<std::size_t>(std::max(outline.workers, 0)));
    is_active_ = true;
    draw();
  }
  void worker_started(int slot, int, const std::string& device) override {
    at(slot).device = device;
  }
  void cell_started(int slot, const Cell& cell, int attempt) override {
    Worker& worker = at(slot);
    worker.title =
        wire::title(cell) + (attempt > 1 ? " (attempt " + std::to_string(attempt) + ")" : "");
    worker.start = output_.now();
    worker.done = worker.total = 0;
    worker.note.clear();
    draw_soon();
  }
  void cell_progress(int slot,
                     const Cell&,
                     std::int64_t done,
                     std::int64_t total,
                     const std::string& note) override {
    Worker& worker = at(slot);
    worker.done = done;
    worker.total = total;
    worker.note = first_line(note);
    draw_soon();
  }
  void cell_done(int slot, const Cell& cell, const CellResult&) override {
    tally_.finished(cell, output_.now() - at(slot).start);
    at(slot).title.clear();
    draw_soon();
  }
  void cell_failed(int slot,
                   const Cell& cell,
                   const CellFailure& failure,
                   bool will_retry) override {
    if (!will_retry) tally_.failed(cell);
    at(slot).title.clear();
    auto lines = failure_lines(cell, failure, will_retry);
    lines.front().insert(0, "FAILED ");
    print_above(lines);
  }
  void cell_skipped(const Cell& cell, const std::string& reason) override {
    tally_.skipped(cell);
    print_above({"skipped " + wire::title(cell) + ": " + first_line(reason)});
  }
  void notice(const std::string& text) override { print_above({text}); }
  void tick() override { draw_soon(); }
  void run_finished(const RunSummary& summary) override {
    erase();
    is_active_ = false;
    *output_.people << summary_text(summary) << std::endl;
  }

 private:
  struct Worker {
    std::string device, title, note;
    double start = 0;
    std::int64_t done = 0, total = 0;
  };

  Worker& at(int slot) {
    const auto index = static_cast<std::size_t>(slot);
    if (index >= workers_.size()) workers_.resize(index + 1);
    return workers_[index];
  }

  std::string line_of(std::size_t index, double now) const {
    const Worker& worker = workers_[index];
    std::string line = std::to_string(index + 1) + " ";
    if (worker.title.empty()) return line + "-";
    if (!worker.device.empty() && worker.device != "cpu") line += worker.device + " ";
    // What changes stands first: the end of a line is what a narrow terminal cuts.
    line += duration_text(now - worker.start);
    if (worker.total > 0)
      line += " " + std::to_string(worker.done) + "/" + std::to_string(worker.total);
    if (!worker.note.empty()) line += " " + worker.note;
    return line + "  " + worker.title;
  }

  void draw_soon() {
    if (output_.now() - drawn_at_ >= kRedrawInterval) draw();
  }

  void draw() {
    if (!is_active_) return;
    const double now = output_.now();
    // One column stays free: a full line would make some terminals begin the next one.
    const int width = output_.width() - 1;
    std::string text = erasure();
    for (std::size_t i = 0; i < workers_.size(); ++i) text += fit(line_of(i, now), width) + "\n";
    text += fit(tally_.text(now), width) + "\n";
    lines_drawn_ = workers_.size() + 1;
    drawn_at_ = now;
    *output_.people << text << std::flush;
  }

  // Back to the first line of the block, and nothing from there on.
  std::string erasure() const {
    if (lines_drawn_ == 0) return "";
    return "\x1b[" + std::to_string(lines_drawn_) + "A\r\x1b[J";
  }
  void erase() {
    *output_.people << erasure() << std::flush;
    lines_drawn_ = 0;
  }
  void print_above(const std::vector<std::string>& lines) {
    erase();
    for (const std::string& line : lines) *output_.people << line << '\n';
    draw();
  }

  ProgressOutput output_;
  Tally tally_;
  std::vector<Worker> workers_;
  std::size_t lines_drawn_ = 0;
  double drawn_at_ = 0;
  bool is_active_ = false;
};

// One JSON object per line and event, for programs. Field "event" says which.
class JsonProgress : public Progress {
 public:
  explicit JsonProgress(ProgressOutput output)
      : output_(std::move(output)), start_(output_.now()) {}

  void run_started(const RunOutline& outline) override {
    start_ = output_.now();
    print({{"event", "run_started"},
           {"hit", outline.hit},
           {"to_run",
            {{"train", outline.to_run[0]},
             {"attack", outline.to_run[1]},
             {"probe", outline.to_run[2]}}},
           {"workers", outline.workers}});
  }
  void worker_started(int slot, int pid, const std::string& device) override {
    print({{"event", "worker_started"}, {"worker", slot}, {"pid", pid}, {"device", device}});
  }
  void cell_started(int slot, const Cell& cell, int attempt) override {
    json line = about("cell_started", cell);
    line["worker"] = slot;
    line["attempt"] = attempt;
    print(std::move(line));
  }
  void cell_progress(int slot,
                     const Cell& cell,
                     std::int64_t done,
                     std::int64_t total,
                     const std::string& note) override {
    json line = about("cell_progress", cell);
    line.update({{"worker", slot}, {"done", done}, {"total", total}, {"note", note}});
    print(std::move(line));
  }
  void cell_done(int slot, const Cell& cell, const CellResult& result) override {
    json line = about("cell_done", cell);
    line.update({{"worker", slot}, {"wall_s", result.wall_s}});
    print(std::move(line));
  }
  void cell_failed(int slot,
                   const Cell& cell,
                   const CellFailure& failure,
                   bool will_retry) override {
    json line = about("cell_failed", cell);
    line.update({{"worker", slot},
                 {"class", failure.failure_class},
                 {"message", failure.message},
                 {"log_tail", failure.log_tail},
                 {"signal", failure.signal ? json(*failure.signal) : json()},
                 {"exit_code", failure.exit_code ? json(*failure.exit_code) : json()},
                 {"will_retry", will_retry}});
    print(std::move(line));
  }
  void cell_skipped(const Cell& cell, const std::string& reason) override {
    json line = about("cell_skipped", cell);
    line["reason"] = reason;
    print(std::move(line));
  }
  void notice(const std::string& text) override { print({{"event", "notice"}, {"text", text}}); }
  void tick() override {}
  void run_finished(const RunSummary& s) override {
    print({{"event", "run_finished"},
           {"hit", s.hit},
           {"ran", s.ran},
           {"failed", s.failed},
           {"skipped", s.skipped},
           {"interrupted", s.interrupted},
           {"not_run", s.not_run},
           {"drained", s.drained}});
  }

 private:
  static json about(const char* event, const Cell& cell) {
    return {{"event", event},
            {"key", cell.key},
            {"kind", wire::to_string(cell.kind)},
            {"title", wire::title(cell)}};
  }
  void print(json line) {
    line["elapsed_s"] = output_.now() - start_;
    *output_.programs << line.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
  }

  ProgressOutput output_;
  double start_;
};

}  // namespace

Progress::~Progress() = default;

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
    case ProgressMode::kTerminal: return std::make_unique<TerminalProgress>(std::move(output));
    case ProgressMode::kPlain: return std::make_unique<PlainProgress>(std::move(output));
    case ProgressMode::kJson: return std::make_unique<JsonProgress>(std::move(output));
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
