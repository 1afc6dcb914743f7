#include "wire/result.hpp"

#include <cmath>
#include <optional>

namespace unmask::wire {
namespace {

using nlohmann::json;

// JSON has no NaN and no infinity; these numbers may be either, so they travel as text then.
json number(double value) {
  if (std::isfinite(value)) return value;
  if (std::isnan(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}

double number(const json& value) {
  if (!value.is_string()) return value.get<double>();
  const auto& text = value.get_ref<const std::string&>();
  if (text == "nan") return std::nan("");
  return text == "inf" ? HUGE_VAL : -HUGE_VAL;
}

// Left as it is where the object has no such member.
template <class Value>
void get_if_there(const json& j, const char* name, std::optional<Value>& value) {
  if (const auto member = j.find(name); member != j.end()) value = member->get<Value>();
}

}  // namespace

void to_json(json& j, const ResultFile& file) {
  j = {{"sha256", file.sha256}, {"bytes", file.bytes}, {"path", file.path}};
}

void from_json(const json& j, ResultFile& file) {
  j.at("sha256").get_to(file.sha256);
  j.at("bytes").get_to(file.bytes);
  j.at("path").get_to(file.path);
}

// Outcomes are by far the most of it: they travel as rows, not as objects.
void to_json(json& j, const CellResult& r) {
  j = json::object();
  json& metrics = j["metrics"] = json::array();
  for (const Metric& m : r.metrics) {
    metrics.push_back({m.name, number(m.value), m.n ? json(*m.n) : json()});
    if (!m.reason.empty()) metrics.back().push_back(m.reason);
  }
  json& outcomes = j["outcomes"] = json::array();
  for (const SampleOutcome& o : r.outcomes) {
    outcomes.push_back({o.sample,
                        o.label,
                        o.clean_prediction,
                        o.prediction,
                        number(o.distance),
                        o.queries,
                        o.passes,
                        o.is_decided});
  }
  json& samples = j["sample_metrics"] = json::array();
  for (const SampleMetric& m : r.sample_metrics) {
    samples.push_back({m.sample, m.name, number(m.value)});
  }
  json& series = j["series"] = json::array();
  for (const Series& s : r.series) {
    json values = json::array();
    for (const double v : s.values) values.push_back(number(v));
    series.push_back({s.name, values});
  }
  json& stats = j["solve_stats"] = json::array();
  for (const SolveStats& s : r.solve_stats) {
    stats.push_back({{"phase", s.phase},
                     {"solve", s.solve},
                     {"solves", s.solves},
                     {"nfe_min", s.nfe_min},
                     {"nfe_median", s.nfe_median},
                     {"nfe_max", s.nfe_max},
                     {"nfe_total", s.nfe_total},
                     {"accepted", s.accepted},
                     {"rejected", s.rejected},
                     {"failed", s.failed},
                     {"worst_status", s.worst_status},
                     {"step_min", number(s.step_min)},
                     {"step_max", number(s.step_max)}});
  }
  j["counters"] = {{"forwards", r.counters.forwards},
                   {"backwards", r.counters.backwards},
                   {"nfe", r.counters.nfe}};
  if (r.checkpoint) j["checkpoint"] = *r.checkpoint;
  if (r.adversarials) j["adversarials"] = *r.adversarials;
  if (!r.norm.empty()) j["norm"] = r.norm;
  if (!r.remarks.empty()) j["remarks"] = r.remarks;
  j["device"] = r.device;
  j["wall_s"] = r.wall_s;
  j["peak_bytes"] = r.peak_bytes;
  if (r.device_peak_bytes) j["device_peak_bytes"] = *r.device_peak_bytes;
  j["seeds"] = r.seeds;
}

void from_json(const json& j, CellResult& r) {
  r = CellResult{};
  for (const json& m : j.at("metrics")) {
    Metric metric{m.at(0).get<std::string>(), number(m.at(1)), std::nullopt, ""};
    if (!m.at(2).is_null()) metric.n = m.at(2).get<std::int64_t>();
    if (m.size() > 3) m.at(3).get_to(metric.reason);
    r.metrics.push_back(std::move(metric));
  }
  for (const json& o : j.at("outcomes")) {
    r.outcomes.push_back({o.at(0).get<std::int64_t>(),
                          o.at(1).get<std::int64_t>(),
                          o.at(2).get<std::int64_t>(),
                          o.at(3).get<std::int64_t>(),
                          number(o.at(4)),
                          o.at(5).get<std::int64_t>(),
                          o.at(6).get<std::int64_t>(),
                          o.at(7).get<bool>()});
  }
  for (const json& m : j.at("sample_metrics")) {
    r.sample_metrics.push_back(
        {m.at(0).get<std::int64_t>(), m.at(1).get<std::string>(), number(m.at(2))});
  }
  for (const json& s : j.at("series")) {
    Series series{s.at(0).get<std::string>(), {}};
    for (const json& v : s.at(1)) series.values.push_back(number(v));
    r.series.push_back(std::move(series));
  }
  for (const json& s : j.at("solve_stats")) {
    SolveStats stats;
    s.at("phase").get_to(stats.phase);
    s.at("solve").get_to(stats.solve);
    s.at("solves").get_to(stats.solves);
    s.at("nfe_min").get_to(stats.nfe_min);
    s.at("nfe_median").get_to(stats.nfe_median);
    s.at("nfe_max").get_to(stats.nfe_max);
    s.at("nfe_total").get_to(stats.nfe_total);
    s.at("accepted").get_to(stats.accepted);
    s.at("rejected").get_to(stats.rejected);
    s.at("failed").get_to(stats.failed);
    s.at("worst_status").get_to(stats.worst_status);
    stats.step_min = number(s.at("step_min"));
    stats.step_max = number(s.at("step_max"));
    r.solve_stats.push_back(std::move(stats));
  }
  const json& counters = j.at("counters");
  counters.at("forwards").get_to(r.counters.forwards);
  counters.at("backwards").get_to(r.counters.backwards);
  counters.at("nfe").get_to(r.counters.nfe);
  get_if_there(j, "checkpoint", r.checkpoint);
  get_if_there(j, "adversarials", r.adversarials);
  r.norm = j.value("norm", std::string());
  r.remarks = j.value("remarks", std::vector<std::string>());
  j.at("device").get_to(r.device);
  j.at("wall_s").get_to(r.wall_s);
  j.at("peak_bytes").get_to(r.peak_bytes);
  get_if_there(j, "device_peak_bytes", r.device_peak_bytes);
  j.at("seeds").get_to(r.seeds);
}

}  // namespace unmask::wire
