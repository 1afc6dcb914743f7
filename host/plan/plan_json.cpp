#include <set>
#include <string>

#include "plan/planner.hpp"
#include "unmask/errors.hpp"

namespace unmask::plan {

void to_json(nlohmann::json& j, const Plan& plan) {
  j = {{"cells", plan.cells}, {"dataset_problems", plan.dataset_problems}};
}

void from_json(const nlohmann::json& j, Plan& plan) {
  plan = Plan{};
  j.at("cells").get_to(plan.cells);
  j.at("dataset_problems").get_to(plan.dataset_problems);
  std::set<std::string> trainings;
  for (const wire::Cell& cell : plan.cells) {
    if (cell.kind == wire::CellKind::kTrain) trainings.insert(cell.key);
  }
  for (const wire::Cell& cell : plan.cells) {
    for (const std::string& key : cell.all_needs()) {
      if (trainings.contains(key)) continue;
      throw DataError("the plan lacks the training " + key + ", which the cell " + cell.key +
                      " needs");
    }
  }
}

}  // namespace unmask::plan
