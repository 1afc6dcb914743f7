#pragma once
// What a run knows and the database does not: how far each worker is inside of its cell, the curves
// of trainings that have not ended, and what was told to people. It lies in `live.json` beside the
// logs of the run, for whoever watches; nothing depends on it, and it may be deleted at any time.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "run/progress.hpp"

namespace unmask::run {

struct LiveWorker {
  int worker = 0;  ///< from 1, as people count
  std::int64_t pid = 0;
  std::string device;
  std::string key;    ///< of its cell; empty while it has none
  std::string title;  ///< likewise
  int attempt = 0;
  std::int64_t done = 0,
               total = 0;  ///< of the cell, in its own unit; total 0: nothing is known yet
  std::string note;        ///< "loss 0.312, accuracy 90.1 %"
};

/// A number that a training has noted on its way.
struct LiveCurve {
  std::string key;  ///< of the training
  std::string title;
  std::string name;                               ///< "loss"
  std::vector<std::pair<double, double>> points;  ///< share of the training that is done, value
};

struct LiveState {
  double written_at = 0;  ///< seconds since 1970
  bool has_ended = false;
  std::string time_left;  ///< "about 3m05s", as Tally says it; empty: not known yet
  std::vector<LiveWorker> workers;
  std::vector<LiveCurve> curves;
  std::vector<std::string> notices;  ///< the last ones, the latest at the end
};

void to_json(nlohmann::json& json, const LiveState& state);
/// @throws nlohmann::json::exception for a missing or mistyped member
void from_json(const nlohmann::json& json, LiveState& state);

/// The file of a run whose logs are in this folder.
std::filesystem::path live_file(const std::filesystem::path& log_folder);

/// What the file holds; nullopt when it is missing, or not what this version writes.
std::optional<LiveState> read_live_state(const std::filesystem::path& file);

/// The numbers of a note by name: of "loss 0.312, accuracy 90.1 %" loss 0.312 and accuracy 0.901.
/// Parts between commas that are not a name and a number are left out.
std::vector<std::pair<std::string, double>> numbers_of(std::string_view note);

/// Passes every event on to `inner`, and writes the file: at the beginning, at the end, and in
/// between at most twice a second. When it cannot be written, `inner` is told once.
/// @param inner  outlives the result
std::unique_ptr<Progress> make_live_progress(Progress& inner, const std::filesystem::path& file);

}  // namespace unmask::run
