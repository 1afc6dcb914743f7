#include "cli/cost.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "base/counted.hpp"
#include "run/progress.hpp"
#include "wire/spec.hpp"

namespace unmask::cli {
namespace {

using nlohmann::json;

// What decides how long a cell takes, without what does not (seeds, fingerprints, data content).
std::string class_of(const json& spec) {
  json parts = {spec.at("kind")};
  wire::for_each_part(spec,
                      [&](const std::string& name, const std::string& kind, const json& part) {
                        if (kind != "dataset")
                          parts.push_back({name, part.at("plugin"), part.at("params")});
                      });
  parts.push_back(spec.at("dataset").at("params"));
  if (const auto samples = spec.find("samples"); samples != spec.end()) parts.push_back(*samples);
  return parts.dump();
}

std::map<std::string, double> precedents(const std::filesystem::path& database) {
  std::map<std::string, std::vector<double>> times;
  if (!std::filesystem::exists(database)) return {};
  const store::Store store = store::Store::open_reader(database);
  for (const store::TimedCell& cell : store.timed_cells()) {
    times[class_of(cell.spec)].push_back(cell.wall_s);
  }
  std::map<std::string, double> medians;
  for (auto& [name, values] : times) {
    std::sort(values.begin(), values.end());
    medians[name] = (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
  }
  return medians;
}

}  // namespace

CostEstimate estimate_cost(const plan::Plan& plan,
                           const store::DoneCells& done,
                           const std::filesystem::path& database,
                           std::size_t workers) {
  CostEstimate estimate;
  const auto known = precedents(database);
  for (const wire::Cell& cell : plan.cells) {
    if (done.contains(cell.key)) continue;
    const auto found = known.empty() ? known.end() : known.find(class_of(cell.spec));
    if (found == known.end()) {
      ++estimate.unknown_cells;
    } else {
      ++estimate.known_cells;
      estimate.wall_s += found->second / static_cast<double>(workers);
    }
  }
  return estimate;
}

std::vector<double> costs_of_cells(const plan::Plan& plan, const std::filesystem::path& database) {
  const auto known = precedents(database);
  std::vector<double> costs;
  std::map<wire::CellKind, std::pair<double, double>> sums;  // seconds, cells
  for (const wire::Cell& cell : plan.cells) {
    const auto found = known.empty() ? known.end() : known.find(class_of(cell.spec));
    costs.push_back(found == known.end() ? -1 : found->second);
    if (found == known.end()) continue;
    sums[cell.kind].first += found->second;
    sums[cell.kind].second += 1;
  }
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (costs[i] >= 0) continue;
    const wire::CellKind kind = plan.cells[i].kind;
    const auto& [seconds, cells] = sums[kind];
    const double guess = kind == wire::CellKind::kTrain ? 10 : 1;
    costs[i] = cells > 0 ? seconds / cells : guess;
  }
  return costs;
}

std::string to_text(const CostEstimate& estimate) {
  if (estimate.known_cells + estimate.unknown_cells == 0) return "nothing to run";
  if (estimate.known_cells == 0) return "unknown: no cell like these is in the database yet";
  std::string text = "about " + run::duration_text(estimate.wall_s);
  if (estimate.unknown_cells > 0) {
    text += ", and " + base::counted(estimate.unknown_cells, "cell") + " of " +
            (estimate.unknown_cells == 1 ? "a kind" : "kinds") + " that never ran here";
  }
  return text;
}

}  // namespace unmask::cli
