#include "run/json_progress.hpp"

#include <string>
#include <utility>

#include <nlohmann/json.hpp>

namespace unmask::run {
namespace {

using nlohmann::json;
using wire::Cell;
using wire::CellFailure;
using wire::CellResult;

class JsonProgress final : public Progress {
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
  void cell_joined(int slot, const Cell& cell) override {
    json line = about("cell_joined", cell);
    line["worker"] = slot;
    print(std::move(line));
  }
  void cell_left(int slot, const Cell& cell) override {
    json line = about("cell_left", cell);
    line["worker"] = slot;
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
    if (failure.failure_class == wire::FailureClass::kInterrupted) {
      json line = about("cell_stopped", cell);
      line["worker"] = slot;
      print(std::move(line));
      return;
    }
    json line = about("cell_failed", cell);
    line.update({{"worker", slot},
                 {"class", wire::to_string(failure.failure_class)},
                 {"message", failure.message},
                 {"log_tail", failure.log_tail},
                 {"log_file", failure.log_file},
                 {"plugins", failure.plugins},
                 {"command", failure.command},
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
  void cell_again(const Cell& cell) override { print(about("cell_again", cell)); }
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
           {"discarded_elsewhere", s.discarded_elsewhere},
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

std::unique_ptr<Progress> make_json_progress(ProgressOutput output) {
  return std::make_unique<JsonProgress>(std::move(output));
}

}  // namespace unmask::run
