#include "run/agenda.hpp"

#include <utility>

#include "unmask/errors.hpp"

namespace unmask::run {

Agenda::Agenda(const std::vector<wire::Cell>& plan,
               const StoredCells& stored,
               const std::vector<CellCost>& costs)
    : plan_(plan),
      needs_(plan),
      order_(plan, needs_, costs),
      ready_(plan, needs_, order_),
      is_done_(plan.size(), false),
      is_given_up_(plan.size(), false),
      is_skipped_(plan.size(), false),
      checkpoints_(plan.size()),
      dependants_(plan.size()),
      waits_for_(plan.size(), 0) {
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    UNMASK_CHECK(index_of_.emplace(plan_[i].key, i).second,
                 "two cells of a plan have the key " + plan_[i].key);
    const auto found = stored.find(plan_[i].key);
    if (found == stored.end()) continue;
    is_done_[i] = true;
    checkpoints_[i] = found->second;
    ++outline_.hit;
  }
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    if (is_done_[i]) continue;
    ++outline_.to_run.at(static_cast<std::size_t>(plan_[i].kind));
    wait_or_get_ready(i);
  }
  auto recorded = std::make_shared<RecordedCosts>();
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (!costs[i].is_recorded) continue;
    recorded->emplace(plan_[i].key, costs[i].seconds);
    if (is_done_[i]) continue;
    ++outline_.with_cost.at(static_cast<std::size_t>(plan_[i].kind));
    outline_.cost_s += costs[i].seconds;
  }
  outline_.costs = std::move(recorded);
}

void Agenda::wait_or_get_ready(std::size_t index) {
  waits_for_[index] = 0;
  for (const std::size_t needs : needs_.all(index)) {
    UNMASK_CHECK(!is_done_[needs] || checkpoints_[needs].has_value(),
                 "the training " + plan_[needs].key + " is done but has no checkpoint");
    if (is_done_[needs]) continue;
    dependants_[needs].push_back(index);
    ++waits_for_[index];
  }
  if (waits_for_[index] == 0) ready_.add(index, Wish::kAny);
}

wire::Execute Agenda::order(std::size_t index) const {
  const wire::Cell& cell = plan_[index];
  wire::Execute order{
      cell.key, cell.kind, cell.spec.whole(), cell.locals, std::nullopt, std::nullopt, false};
  if (const auto& training = needs_.checkpoint(index)) order.checkpoint = checkpoints_[*training];
  if (const auto& source = needs_.source(index)) order.source = checkpoints_[*source];
  order.keep_adversarials = cell.keeps_adversarials;
  return order;
}

void Agenda::finish(std::size_t index, const std::optional<wire::CheckpointFile>& checkpoint) {
  is_done_[index] = true;
  checkpoints_[index] = checkpoint;
  for (const std::size_t dependant : std::exchange(dependants_[index], {})) {
    if (--waits_for_[dependant] == 0 && !is_skipped_[dependant]) {
      ready_.add(dependant, Wish::kAny);
    }
  }
}

std::vector<std::size_t> Agenda::give_up(std::size_t index) {
  is_given_up_[index] = true;
  std::vector<std::size_t> skipped;
  for (const std::size_t dependant : dependants_[index]) {
    if (is_skipped_[dependant]) continue;  // another training that it needs failed before
    is_skipped_[dependant] = true;
    skipped.push_back(dependant);
  }
  return skipped;
}

std::optional<Agenda::Lost> Agenda::lose(const std::string& key) {
  const auto found = index_of_.find(key);
  // Not done: it waits for the training anyway.
  if (found == index_of_.end() || !is_done_[found->second]) return std::nullopt;
  const std::size_t index = found->second;
  is_done_[index] = false;
  // It was stored before the run: what runs now waits for all its trainings, so it has seen none
  // but their last weights.
  --outline_.hit;
  ++outline_.to_run.at(static_cast<std::size_t>(plan_[index].kind));
  Lost lost{index, std::nullopt};
  for (const std::size_t needs : needs_.all(index)) {
    if (is_given_up_[needs]) lost.failed_need = needs;
  }
  if (lost.failed_need) {
    is_skipped_[index] = true;
  } else {
    wait_or_get_ready(index);
  }
  return lost;
}

}  // namespace unmask::run
