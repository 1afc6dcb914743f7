#include "run/needs.hpp"

#include <string>
#include <string_view>
#include <unordered_map>

#include "unmask/errors.hpp"

namespace unmask::run {

Needs::Needs(const std::vector<wire::Cell>& plan) {
  std::unordered_map<std::string_view, std::size_t> trainings;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (plan[i].kind == wire::CellKind::kTrain) trainings.emplace(plan[i].key, i);
  }
  for (const wire::Cell& cell : plan) {
    const auto place = [&](const std::optional<std::string>& key) -> std::optional<std::size_t> {
      if (!key) return std::nullopt;
      const auto found = trainings.find(*key);
      UNMASK_CHECK(found != trainings.end(),
                   "cell " + cell.key + " needs " + *key + ", which is no training of the plan");
      return found->second;
    };
    checkpoint_.push_back(place(cell.needs));
    source_.push_back(place(cell.needs_source));
  }
}

std::vector<std::size_t> Needs::all(std::size_t cell) const {
  std::vector<std::size_t> out;
  if (checkpoint_[cell]) out.push_back(*checkpoint_[cell]);
  if (source_[cell]) out.push_back(*source_[cell]);
  return out;
}

}  // namespace unmask::run
