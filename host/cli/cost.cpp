#include "cli/cost.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "base/counted.hpp"
#include "run/progress.hpp"
#include "wire/spec.hpp"

namespace unmask::cli {
namespace {

using nlohmann::json;

// What decides how long a cell takes, without what does not (seeds, fingerprints, data content).
template <class Object>
std::string class_of(const Object& spec) {
  json parts = {spec.at("kind")};
  wire::for_each_part(spec,
                      [&](const std::string& name, const std::string& kind, const json& part) {
                        if (kind != "dataset")
                          parts.push_back({name, part.at("plugin"), part.at("params")});
                      });
  parts.push_back(spec.at("dataset").at("params"));
  if (const json* samples = wire::find_member(spec, "samples")) parts.push_back(*samples);
  return parts.dump();
}

template <class Object>
std::string pace_of_kind(const Object& spec) {
  return "kind " + spec.at("kind").template get<std::string>();
}

// Cells that pass through the same network under the same solver.
template <class Object>
std::string pace_of_network(const Object& spec) {
  json parts = {spec.at("kind"), spec.at("dataset").at("params")};
  wire::for_each_part(spec, [&](const std::string&, const std::string& kind, const json& part) {
    if (kind == "model" || kind == "solver")
      parts.push_back({part.at("plugin"), part.at("params")});
  });
  return parts.dump();
}

CostRange range_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double median = (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
  return {values.front(), median, values.back()};
}

bool is_cuda(const std::string& device) {
  return device.starts_with("cuda");
}

template <class Object>
double passes_of(const Object& spec) {
  // What multiplies the work of a sample in the shipped plugins, and as a rule in others.
  constexpr std::array kFactors = {
      "steps", "iterations", "queries", "restarts", "repeats", "epochs", "search_steps", "draws"};
  double passes = 0;
  wire::for_each_part(spec, [&](const std::string&, const std::string& kind, const json& part) {
    if (kind != "attack" && kind != "probe" && kind != "objective") return;
    double own = 1;
    for (const char* name : kFactors) {
      const auto& params = part.at("params");
      const auto found = params.find(name);
      if (found != params.end() && found->is_number()) own *= std::max(1.0, found->get<double>());
    }
    passes += own;
  });
  return std::max(1.0, passes) * std::max(1.0, spec.value("samples", 1.0));
}

}  // namespace

double planned_passes(const wire::Spec& spec) {
  return passes_of(spec);
}

Precedents::Precedents(const std::vector<store::TimedCell>& cells, const std::string& device)
    : Precedents([&](const Visitor& visit) { std::for_each(cells.begin(), cells.end(), visit); },
                 device) {}

Precedents::Precedents(const store::Store& store, const std::string& device)
    : Precedents([&](const Visitor& visit) { store.visit_timed_cells(visit); }, device) {}

Precedents::Precedents(const std::function<void(const Visitor&)>& for_each_cell,
                       const std::string& device) {
  std::map<std::string, std::vector<double>> times, paces;
  for_each_cell([&](const store::TimedCell& cell) {
    if (!device.empty() && is_cuda(cell.device) != is_cuda(device)) return;
    const std::string name = class_of(cell.spec);
    times[name].push_back(cell.wall_s);
    std::optional<std::int64_t>& most = known_[name].device_bytes;
    most = std::max(most, cell.device_peak_bytes);
    const double pace = cell.wall_s / passes_of(cell.spec);
    paces[pace_of_kind(cell.spec)].push_back(pace);
    paces[pace_of_network(cell.spec)].push_back(pace);
  });
  for (auto& [name, values] : times) {
    static_cast<CostRange&>(known_[name]) = range_of(std::move(values));
  }
  for (auto& [name, values] : paces) paces_[name] = range_of(std::move(values)).median;
}

std::optional<Precedent> Precedents::of(const wire::Spec& spec) const {
  if (known_.empty()) return std::nullopt;
  const auto found = known_.find(class_of(spec));
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

double Precedents::guess(const wire::Spec& spec) const {
  // A pass through a small network on a processor, and an epoch.
  double pace = spec.at("kind") == "train" ? 1 : 1e-4;
  for (const std::string& name : {pace_of_network(spec), pace_of_kind(spec)}) {
    const auto found = paces_.find(name);
    if (found == paces_.end()) continue;
    pace = found->second;
    break;
  }
  return pace * planned_passes(spec);
}

Precedents read_precedents(const std::filesystem::path& database, const std::string& device) {
  if (!std::filesystem::exists(database)) return {};
  return {store::Store::open_reader(database), device};
}

CostEstimate estimate_cost(const plan::Plan& plan,
                           const store::DoneCells& done,
                           const Precedents& precedents,
                           std::size_t workers) {
  CostEstimate estimate;
  CostRange sum, longest;
  for (const wire::Cell& cell : plan.cells) {
    if (done.contains(cell.key)) continue;
    const auto range = precedents.of(cell.spec);
    if (!range) {
      ++estimate.unknown_cells;
      continue;
    }
    ++estimate.known_cells;
    for (const auto member : {&CostRange::low, &CostRange::median, &CostRange::high}) {
      sum.*member += (*range).*member;
      longest.*member = std::max(longest.*member, (*range).*member);
    }
  }
  // No division makes one cell shorter.
  for (const auto member : {&CostRange::low, &CostRange::median, &CostRange::high}) {
    estimate.wall_s.*member = std::max(sum.*member / static_cast<double>(workers), longest.*member);
  }
  return estimate;
}

std::vector<run::CellCost> costs_of_cells(const std::vector<wire::Cell>& cells,
                                          const Precedents& precedents) {
  std::vector<run::CellCost> costs;
  costs.reserve(cells.size());
  for (const wire::Cell& cell : cells) {
    if (const auto known = precedents.of(cell.spec)) {
      costs.push_back({known->median, true, known->device_bytes});
    } else {
      costs.push_back({precedents.guess(cell.spec), false});
    }
  }
  return costs;
}

std::string to_text(const CostEstimate& estimate) {
  if (estimate.known_cells + estimate.unknown_cells == 0) return "nothing to run";
  if (estimate.known_cells == 0) return "unknown: no cell like these is in the database yet";
  const std::string low = run::duration_text(estimate.wall_s.low);
  const std::string high = run::duration_text(estimate.wall_s.high);
  std::string text = low == high ? "about " + low : low + " to " + high;
  if (estimate.unknown_cells > 0) {
    text += ", and " + base::counted(estimate.unknown_cells, "cell") + " of " +
            (estimate.unknown_cells == 1 ? "a kind" : "kinds") + " that never ran here";
  }
  return text;
}

}  // namespace unmask::cli
