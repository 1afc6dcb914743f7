#include "ode/schedule.hpp"

#include <fstream>
#include <iterator>
#include <string>

#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "base/json_shape.hpp"
#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "unmask-schedules/1";

json to_json(const Schedule& schedule) {
  json lanes = json::array();
  for (const LaneSchedule& lane : schedule.lanes) {
    lanes.push_back({{"begin", lane.begin}, {"size", lane.size}, {"end", lane.end}});
  }
  return {{"control", schedule.control == Control::kBatch ? "batch" : "sample"},
          {"end", schedule.end == EndRule::kInterpolate ? "interpolate" : "clamp"},
          {"t0", schedule.t0},
          {"t1", schedule.t1},
          {"lanes", std::move(lanes)}};
}

// One of two words.
bool is_first(const json& value, const std::string& first, const std::string& second) {
  const auto text = value.get<std::string>();
  if (text != first && text != second) {
    throw DataError("\"" + text + "\" is neither \"" + first + "\" nor \"" + second + "\"");
  }
  return text == first;
}

void check_lane(const LaneSchedule& lane, const Schedule& schedule) {
  const double direction = schedule.t1 > schedule.t0 ? 1 : -1;
  if (lane.size.size() != lane.steps() || lane.end.size() != lane.steps() || lane.steps() == 0) {
    throw DataError("a lane needs equally many begins, sizes and ends, at least one");
  }
  if (lane.begin.front() != schedule.t0 || direction * (lane.end.back() - schedule.t1) < 0) {
    throw DataError("the steps of a lane must lead from t0 to t1 or beyond");
  }
  for (std::size_t i = 0; i < lane.steps(); ++i) {
    if (!(direction * lane.size[i] > 0)) throw DataError("a step leads away from t1");
    if (i > 0 && lane.begin[i] != lane.end[i - 1]) {
      throw DataError("a step does not begin where the one before it ends");
    }
    if (i + 1 < lane.steps() && direction * (lane.end[i] - schedule.t1) >= 0) {
      throw DataError("a step begins beyond t1");
    }
  }
}

Schedule from_json(const json& value) {
  Schedule out;
  out.control =
      is_first(value.at("control"), "batch", "sample") ? Control::kBatch : Control::kSample;
  out.end =
      is_first(value.at("end"), "interpolate", "clamp") ? EndRule::kInterpolate : EndRule::kClamp;
  value.at("t0").get_to(out.t0);
  value.at("t1").get_to(out.t1);
  for (const json& entry : value.at("lanes")) {
    LaneSchedule lane;
    entry.at("begin").get_to(lane.begin);
    entry.at("size").get_to(lane.size);
    entry.at("end").get_to(lane.end);
    check_lane(lane, out);
    out.lanes.push_back(std::move(lane));
  }
  if (out.lanes.empty() || (out.control == Control::kBatch && out.lanes.size() != 1)) {
    throw DataError("control: batch needs one lane, control: sample one per sample");
  }
  return out;
}

}  // namespace

Schedule Schedule::rows(const std::vector<std::int64_t>& index) const {
  if (control == Control::kBatch) return *this;
  Schedule out{control, end, t0, t1, {}};
  for (const std::int64_t i : index) {
    UNMASK_CHECK(i >= 0 && i < static_cast<std::int64_t>(lanes.size()),
                 "a schedule has the rows that are asked for");
    out.lanes.push_back(lanes[static_cast<std::size_t>(i)]);
  }
  return out;
}

void save_schedules(const ScheduleBook& book, const std::filesystem::path& file) {
  json document = {{"format", kFormat}, {"solves", json::object()}};
  for (const auto& [name, schedule] : book) document["solves"][name] = to_json(schedule);
  base::write_file_atomically(file, document.dump(1) + "\n");
}

ScheduleBook load_schedules(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw DataError("cannot read the schedules " + file.string());
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (base::json_shape(text).depth > base::kDeepestJson) {
    throw DataError(file.string() + ": no schedules: its values are nested deeper than " +
                    std::to_string(base::kDeepestJson) + " levels");
  }
  ScheduleBook book;
  std::string where;
  try {
    const json document = json::parse(text);
    if (document.at("format") != kFormat) {
      throw DataError("its format is " + document.at("format").dump() + ", expected \"" + kFormat +
                      "\"");
    }
    for (const auto& [name, value] : document.at("solves").items()) {
      where = ", solve \"" + name + "\"";
      book.emplace(name, from_json(value));
    }
  } catch (const json::exception& error) {
    throw DataError(file.string() + where + ": no schedules: " + error.what());
  } catch (DataError& error) {
    error.add_context(file.string() + where);
    throw;
  }
  return book;
}

}  // namespace unmask::ode
