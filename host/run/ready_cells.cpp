#include "run/ready_cells.hpp"

#include <algorithm>
#include <iterator>

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

std::vector<std::size_t> ReadyCells::take_all(const std::function<bool(std::size_t)>& is_wanted) {
  std::vector<std::size_t> taken;
  const auto take_from = [&](std::set<std::size_t>& cells) {
    const std::size_t before = taken.size();
    std::copy_if(cells.begin(), cells.end(), std::back_inserter(taken), is_wanted);
    std::for_each(taken.begin() + static_cast<std::ptrdiff_t>(before), taken.end(), [&](auto cell) {
      cells.erase(cell);
    });
    return taken.size() - before;
  };
  take_from(fresh_);
  take_from(alone_);
  take_from(trainings_);
  for (auto& [checkpoint, cells] : by_checkpoint_) n_evaluations_ -= take_from(cells);
  std::erase_if(by_checkpoint_, [](const auto& entry) { return entry.second.empty(); });
  std::sort(taken.begin(), taken.end());
  return taken;
}

std::size_t ReadyCells::take_alone() {
  return take_first(alone_);
}

}  // namespace unmask::run
