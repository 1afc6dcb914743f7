#include <map>
#include <optional>

#include "plan/planner.hpp"
#include "unmask/errors.hpp"
#include "wire/spec.hpp"

namespace unmask::plan {

void to_json(nlohmann::json& j, const Plan& plan) {
  j = {{"cells", plan.cells}, {"dataset_problems", plan.dataset_problems}};
}

void from_json(const nlohmann::json& j, Plan& plan) {
  plan = Plan{};
  j.at("cells").get_to(plan.cells);
  j.at("dataset_problems").get_to(plan.dataset_problems);
  std::map<std::string, std::size_t> trainings;
  for (std::size_t i = 0; i < plan.cells.size(); ++i) {
    if (plan.cells[i].kind == wire::CellKind::kTrain) trainings.emplace(plan.cells[i].key, i);
  }
  for (wire::Cell& cell : plan.cells) {
    const auto place = [&](const std::optional<std::string>& key) -> std::optional<std::size_t> {
      if (!key) return std::nullopt;
      const auto found = trainings.find(*key);
      if (found != trainings.end()) return found->second;
      throw DataError("the plan lacks the training " + *key + ", which the cell " + cell.key +
                      " needs");
    };
    cell.needs = place(wire::checkpoint_of(cell.spec));
    cell.needs_source = place(wire::source_of(cell.spec));
  }
}

}  // namespace unmask::plan
