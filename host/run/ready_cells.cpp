#include "run/ready_cells.hpp"

#include <algorithm>

namespace unmask::run {
namespace {

std::size_t take_first(std::set<std::size_t>& cells) {
  return cells.extract(cells.begin()).value();
}

}  // namespace

void ReadyCells::add(std::size_t cell, Wish wish) {
  if (wish == Wish::kFreshWorker) {
    fresh_.insert(cell);
  } else if (wish == Wish::kAlone) {
    alone_.insert(cell);
  } else if (plan_[cell].kind == wire::CellKind::kTrain) {
    trainings_.insert(cell);
  } else {
    by_checkpoint_[needs_.checkpoint(cell)].insert(cell);
    ++n_evaluations_;
  }
}

std::optional<std::size_t> ReadyCells::take(const Worker& worker,
                                            const std::function<bool(std::size_t)>& is_held) {
  if (worker.is_fresh && !fresh_.empty()) return take_first(fresh_);
  if (!trainings_.empty()) return take_first(trainings_);
  if (by_checkpoint_.empty()) return std::nullopt;
  auto group = worker.holds ? by_checkpoint_.find(worker.holds) : by_checkpoint_.end();
  if (group == by_checkpoint_.end()) {
    group = std::find_if(by_checkpoint_.begin(), by_checkpoint_.end(), [&](const auto& entry) {
      return !entry.first || !is_held(*entry.first);
    });
  }
  if (group == by_checkpoint_.end()) group = by_checkpoint_.begin();
  const std::size_t cell = take_first(group->second);
  if (group->second.empty()) by_checkpoint_.erase(group);
  --n_evaluations_;
  return cell;
}

std::size_t ReadyCells::take_alone() {
  return take_first(alone_);
}

}  // namespace unmask::run
