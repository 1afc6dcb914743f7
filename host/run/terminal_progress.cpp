#include "run/terminal_progress.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/counted.hpp"
#include "run/progress_text.hpp"
#include "run/tally.hpp"

namespace unmask::run {
namespace {

using wire::Cell;
using wire::CellFailure;
using wire::CellResult;

constexpr double kRedrawInterval = 0.2;  // seconds

class TerminalProgress final : public Progress {
 public:
  explicit TerminalProgress(ProgressOutput output) : output_(std::move(output)) {
    tally_.start({}, output_.now());
  }
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
    begin(slot, wire::title(cell) + attempt_text(attempt));
  }
  void cell_joined(int slot, const Cell& cell) override { begin(slot, wire::title(cell)); }
  void cell_left(int slot, const Cell&) override {
    at(slot).title.clear();
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
    worker.note = one_line(note);
    draw_soon();
  }
  void cell_done(int slot, const Cell& cell, const CellResult& result) override {
    tally_.finished(cell, result.wall_s);
    at(slot).title.clear();
    draw_soon();
  }
  void cell_failed(int slot,
                   const Cell& cell,
                   const CellFailure& failure,
                   bool will_retry) override {
    at(slot).title.clear();
    if (failure.failure_class == wire::FailureClass::kInterrupted) {
      print_above({"stopped " + wire::title(cell)});
      return;
    }
    if (!will_retry) tally_.failed(cell);
    auto lines = failure_lines(cell, failure, will_retry);
    lines.front().insert(0, failed_text(output_.has_colors) + " ");
    print_above(lines);
  }
  void cell_skipped(const Cell& cell, const std::string& reason) override {
    tally_.skipped(cell);
    print_above({"skipped " + wire::title(cell) + ": " + one_line(reason)});
  }
  void cells_skipped(const std::vector<const Cell*>& cells, const std::string& reason) override {
    for (const Cell* cell : cells) tally_.skipped(*cell);
    print_above({"skipped " + base::counted(cells.size(), "cell") + ": " + one_line(reason)});
  }
  void cell_again(const Cell& cell) override { tally_.again(cell); }
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

  void begin(int slot, const std::string& title) {
    Worker& worker = at(slot);
    worker.title = title;
    worker.start = output_.now();
    worker.done = worker.total = 0;
    worker.note.clear();
    draw_soon();
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

}  // namespace

std::unique_ptr<Progress> make_terminal_progress(ProgressOutput output) {
  return std::make_unique<TerminalProgress>(std::move(output));
}

}  // namespace unmask::run
