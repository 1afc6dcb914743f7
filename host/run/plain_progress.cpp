#include "run/plain_progress.hpp"

#include <map>
#include <string>
#include <utility>

#include "base/counted.hpp"
#include "run/progress_text.hpp"
#include "run/tally.hpp"

namespace unmask::run {
namespace {

using wire::Cell;
using wire::CellFailure;
using wire::CellResult;

class PlainProgress final : public Progress {
 public:
  explicit PlainProgress(ProgressOutput output) : output_(std::move(output)) {
    tally_.start({}, output_.now());
  }

  void run_started(const RunOutline& outline) override {
    tally_.start(outline, output_.now());
    print(base::counted(tally_.total(), "cell") + " to run, " + std::to_string(outline.hit) +
          " already stored, " + base::counted(outline.workers, "worker"));
  }
  void worker_started(int, int, const std::string&) override {}
  void cell_started(int slot, const Cell& cell, int attempt) override {
    started_[cell.key] = output_.now();
    print("start  " + worker_name(slot) + "  " + wire::title(cell) + attempt_text(attempt));
  }
  void cell_progress(int, const Cell&, std::int64_t, std::int64_t, const std::string&) override {}
  void cell_joined(int slot, const Cell& cell) override {
    print("join   " + worker_name(slot) + "  " + wire::title(cell));
  }
  void cell_done(int slot, const Cell& cell, const CellResult& result) override {
    const double seconds = output_.now() - started_[cell.key];
    tally_.finished(cell, result.wall_s);
    print("done   " + worker_name(slot) + "  " + wire::title(cell) + "  in " +
          duration_text(seconds) + " (" + position() + ")");
  }
  void cell_failed(int slot,
                   const Cell& cell,
                   const CellFailure& failure,
                   bool will_retry) override {
    if (failure.failure_class == wire::FailureClass::kInterrupted) {
      print("stop   " + worker_name(slot) + "  " + wire::title(cell));
      return;
    }
    if (!will_retry) tally_.failed(cell);
    const auto lines = failure_lines(cell, failure, will_retry);
    print(failed_text(output_.has_colors) + " " + worker_name(slot) + "  " + lines.front());
    for (std::size_t i = 1; i < lines.size(); ++i) *output_.people << lines[i] << '\n';
    output_.people->flush();
  }
  void cell_skipped(const Cell& cell, const std::string& reason) override {
    tally_.skipped(cell);
    print("skip   " + wire::title(cell) + ": " + one_line(reason));
  }
  void cells_skipped(const std::vector<const Cell*>& cells, const std::string& reason) override {
    for (const Cell* cell : cells) tally_.skipped(*cell);
    print("skip   " + base::counted(cells.size(), "cell") + ": " + one_line(reason));
  }
  void cell_again(const Cell& cell) override { tally_.again(cell); }
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
  std::map<std::string, double> started_;  // when, by key: several workers may share a cell
};

}  // namespace

std::unique_ptr<Progress> make_plain_progress(ProgressOutput output) {
  return std::make_unique<PlainProgress>(std::move(output));
}

}  // namespace unmask::run
