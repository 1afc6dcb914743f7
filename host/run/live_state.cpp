#include "run/live_state.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <map>
#include <sstream>
#include <system_error>

#include "run/progress_text.hpp"
#include "run/tally.hpp"

namespace unmask::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using wire::Cell;
using wire::CellFailure;
using wire::CellResult;

constexpr double kWriteInterval = 0.5;  // seconds
constexpr int kVersion = 2;             // of the file
constexpr std::size_t kMostNotices = 20;
constexpr std::size_t kMostPoints = 400;  // of a curve

double unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

// Files of watchers are not worth an fsync: after a power failure nobody runs.
bool replace_file(const fs::path& file, const std::string& text) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  fs::path next = file;
  next += ".next";
  std::ofstream out(next, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (out) fs::rename(next, file, error);
  return out && !error;
}

class LiveProgress final : public Progress {
 public:
  LiveProgress(Progress& inner, fs::path file) : inner_(inner), file_(std::move(file)) {}

  void run_started(const RunOutline& outline) override {
    inner_.run_started(outline);
    tally_.start(outline, unix_now());
    write();
  }
  void worker_started(int slot, int pid, const std::string& device) override {
    inner_.worker_started(slot, pid, device);
    LiveWorker& worker = workers_[slot];
    worker = {};
    worker.worker = slot + 1;
    worker.pid = pid;
    worker.device = device;
    write_soon();
  }
  void cell_started(int slot, const Cell& cell, int attempt) override {
    inner_.cell_started(slot, cell, attempt);
    attempts_[cell.key] = attempt;
    begin(slot, cell);
  }
  void cell_joined(int slot, const Cell& cell) override {
    inner_.cell_joined(slot, cell);
    begin(slot, cell);
  }
  void cell_left(int slot, const Cell& cell) override {
    inner_.cell_left(slot, cell);
    leave(slot);
    write_soon();
  }
  void cell_progress(int slot,
                     const Cell& cell,
                     std::int64_t done,
                     std::int64_t total,
                     const std::string& note) override {
    inner_.cell_progress(slot, cell, done, total, note);
    LiveWorker& worker = workers_[slot];
    worker.done = done;
    worker.total = total;
    if (worker.note != note && cell.kind == wire::CellKind::kTrain && total > 0) {
      add_points(cell, static_cast<double>(done) / static_cast<double>(total), note);
    }
    worker.note = note;
    write_soon();
  }
  void cell_done(int slot, const Cell& cell, const CellResult& result) override {
    inner_.cell_done(slot, cell, result);
    tally_.finished(cell, result.wall_s);
    forget(slot, cell);
    write_soon();
  }
  void cell_failed(int slot,
                   const Cell& cell,
                   const CellFailure& failure,
                   bool will_retry) override {
    inner_.cell_failed(slot, cell, failure, will_retry);
    const bool is_stopped = failure.failure_class == wire::FailureClass::kInterrupted;
    if (!will_retry && !is_stopped) tally_.failed(cell);
    forget(slot, cell);
    write_soon();
  }
  void cell_skipped(const Cell& cell, const std::string& reason) override {
    inner_.cell_skipped(cell, reason);
    tally_.skipped(cell);
  }
  void cells_skipped(const std::vector<const Cell*>& cells, const std::string& reason) override {
    inner_.cells_skipped(cells, reason);
    for (const Cell* cell : cells) tally_.skipped(*cell);
  }
  void cell_again(const Cell& cell) override {
    inner_.cell_again(cell);
    tally_.again(cell);
  }
  void notice(const std::string& text) override {
    inner_.notice(text);
    state_.notices.push_back(text);
    if (state_.notices.size() > kMostNotices) state_.notices.erase(state_.notices.begin());
    write_soon();
  }
  void tick() override {
    inner_.tick();
    write_soon();
  }
  void run_finished(const RunSummary& summary) override {
    state_.has_ended = true;
    workers_.clear();
    write();
    inner_.run_finished(summary);
  }

 private:
  void add_points(const Cell& cell, double share, const std::string& note) {
    for (const auto& [of_number, value] : numbers_of(note)) {
      const auto& name = of_number;
      auto curve = std::find_if(state_.curves.begin(), state_.curves.end(), [&](const auto& one) {
        return one.key == cell.key && one.name == name;
      });
      if (curve == state_.curves.end()) {
        state_.curves.push_back({cell.key, wire::title(cell), name, {}});
        curve = state_.curves.end() - 1;
      }
      auto& points = curve->points;
      points.emplace_back(share, value);
      if (points.size() <= kMostPoints) continue;
      // Every second one, and the latest: the curve keeps its shape in half the room.
      std::size_t kept = 0;
      for (std::size_t i = points.size() % 2 == 0 ? 1 : 0; i < points.size(); i += 2) {
        points[kept++] = points[i];
      }
      points.resize(kept);
    }
  }

  void begin(int slot, const Cell& cell) {
    LiveWorker& worker = workers_[slot];
    worker.worker = slot + 1;
    worker.key = cell.key;
    worker.title = wire::title(cell);
    worker.attempt = attempts_[cell.key];
    worker.done = worker.total = 0;
    worker.note.clear();
    write_soon();
  }

  void leave(int slot) {
    LiveWorker& worker = workers_[slot];
    worker.key.clear();
    worker.title.clear();
    worker.note.clear();
    worker.done = worker.total = 0;
  }

  void forget(int slot, const Cell& cell) {
    leave(slot);
    attempts_.erase(cell.key);
    std::erase_if(state_.curves, [&](const LiveCurve& curve) { return curve.key == cell.key; });
  }

  void write_soon() {
    if (unix_now() - state_.written_at >= kWriteInterval) write();
  }

  void write() {
    state_.written_at = unix_now();
    state_.time_left = tally_.time_left();
    state_.workers.clear();
    for (const auto& [slot, worker] : workers_) state_.workers.push_back(worker);
    const std::string text = json(state_).dump(-1, ' ', false, json::error_handler_t::replace);
    if (replace_file(file_, text) || has_complained_) return;
    has_complained_ = true;
    inner_.notice(file_.string() + " cannot be written: whoever watches sees no progress in cells");
  }

  Progress& inner_;
  fs::path file_;
  LiveState state_;
  Tally tally_;
  std::map<int, LiveWorker> workers_;    // by slot
  std::map<std::string, int> attempts_;  // of running cells, by key
  bool has_complained_ = false;
};

}  // namespace

void to_json(json& j, const LiveState& state) {
  j = {{"version", kVersion}, {"written_at", state.written_at}, {"has_ended", state.has_ended}};
  j["time_left"] = state.time_left;
  j["notices"] = state.notices;
  j["workers"] = json::array();
  for (const LiveWorker& w : state.workers) {
    j["workers"].push_back({{"worker", w.worker},
                            {"pid", w.pid},
                            {"device", w.device},
                            {"key", w.key},
                            {"title", w.title},
                            {"attempt", w.attempt},
                            {"done", w.done},
                            {"total", w.total},
                            {"note", w.note}});
  }
  j["curves"] = json::array();
  for (const LiveCurve& c : state.curves) {
    j["curves"].push_back(
        {{"key", c.key}, {"title", c.title}, {"name", c.name}, {"points", c.points}});
  }
}

void from_json(const json& j, LiveState& state) {
  state = {};
  j.at("written_at").get_to(state.written_at);
  j.at("has_ended").get_to(state.has_ended);
  j.at("time_left").get_to(state.time_left);
  j.at("notices").get_to(state.notices);
  for (const json& w : j.at("workers")) {
    LiveWorker& worker = state.workers.emplace_back();
    w.at("worker").get_to(worker.worker);
    w.at("pid").get_to(worker.pid);
    w.at("device").get_to(worker.device);
    w.at("key").get_to(worker.key);
    w.at("title").get_to(worker.title);
    w.at("attempt").get_to(worker.attempt);
    w.at("done").get_to(worker.done);
    w.at("total").get_to(worker.total);
    w.at("note").get_to(worker.note);
  }
  for (const json& c : j.at("curves")) {
    LiveCurve& curve = state.curves.emplace_back();
    c.at("key").get_to(curve.key);
    c.at("title").get_to(curve.title);
    c.at("name").get_to(curve.name);
    c.at("points").get_to(curve.points);
  }
}

fs::path live_file(const fs::path& log_folder) {
  return log_folder / "live.json";
}

std::optional<LiveState> read_live_state(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  try {
    const json content = json::parse(text.str());
    if (content.at("version") != kVersion) return std::nullopt;
    return content.get<LiveState>();
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

std::vector<std::pair<std::string, double>> numbers_of(std::string_view note) {
  std::vector<std::pair<std::string, double>> numbers;
  while (!note.empty()) {
    const std::size_t end = std::min(note.find(','), note.size());
    std::string_view part = trimmed(note.substr(0, end));
    note.remove_prefix(std::min(end + 1, note.size()));
    const bool is_percent = part.ends_with('%');
    if (is_percent) part = trimmed(part.substr(0, part.size() - 1));
    const std::size_t space = part.rfind(' ');
    if (space == std::string_view::npos) continue;
    const std::string_view digits = part.substr(space + 1);
    double value = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || stop != digits.data() + digits.size()) continue;
    numbers.emplace_back(std::string(trimmed(part.substr(0, space))),
                         is_percent ? value / 100 : value);
  }
  return numbers;
}

std::unique_ptr<Progress> make_live_progress(Progress& inner, const fs::path& file) {
  return std::make_unique<LiveProgress>(inner, file);
}

}  // namespace unmask::run
