#include "run/ready_cells.hpp"

#include <algorithm>
#include <iterator>

namespace unmask::run {

void ReadyCells::add(std::size_t cell, Wish wish) {
  const std::size_t rank = order_.rank(cell);
  if (wish == Wish::kFreshWorker) {
    fresh_.insert(rank);
  } else if (wish == Wish::kAlone) {
    alone_.insert(rank);
  } else if (plan_[cell].kind == wire::CellKind::kTrain) {
    trainings_.insert(rank);
  } else {
    by_checkpoint_[needs_.checkpoint(cell)].insert(rank);
    ++n_evaluations_;
    evaluation_s_ += order_.seconds(cell);
  }
}

std::size_t ReadyCells::take_first(Ranks& ranks) const {
  return order_.cell(ranks.extract(ranks.begin()).value());
}

double ReadyCells::longest(const Groups::value_type& group) const {
  return order_.seconds(order_.cell(*group.second.begin()));
}

ReadyCells::Groups::iterator ReadyCells::group_for(
    const Worker& worker, const std::function<bool(std::size_t)>& is_held) {
  const auto held = worker.holds ? by_checkpoint_.find(worker.holds) : by_checkpoint_.end();
  // Where nothing is known of lengths, of several groups the first is taken.
  auto longest_of_all = by_checkpoint_.begin(), longest_free = by_checkpoint_.end();
  for (auto group = by_checkpoint_.begin(); group != by_checkpoint_.end(); ++group) {
    if (longest(*group) > longest(*longest_of_all)) longest_of_all = group;
    if (group->first && is_held(*group->first)) continue;
    if (longest_free == by_checkpoint_.end() || longest(*group) > longest(*longest_free)) {
      longest_free = group;
    }
  }
  if (held != by_checkpoint_.end() &&
      may_stay(longest(*longest_of_all), evaluation_s_, worker.of_workers)) {
    return held;
  }
  // A checkpoint that two workers load costs a moment; a long cell that begins last costs its length.
  if (longest_free == by_checkpoint_.end() ||
      !may_stay(longest(*longest_of_all), evaluation_s_, worker.of_workers)) {
    return longest_of_all;
  }
  return longest_free;
}

std::optional<std::size_t> ReadyCells::take(const Worker& worker,
                                            const std::function<bool(std::size_t)>& is_held) {
  if (worker.is_fresh && !fresh_.empty()) return take_first(fresh_);
  if (!trainings_.empty()) return take_first(trainings_);
  if (by_checkpoint_.empty()) return std::nullopt;
  const auto group = group_for(worker, is_held);
  const std::size_t cell = take_first(group->second);
  if (group->second.empty()) by_checkpoint_.erase(group);
  took_evaluation(cell);
  return cell;
}

void ReadyCells::took_evaluation(std::size_t cell) {
  --n_evaluations_;
  // Sums of seconds lose their last digits on the way.
  evaluation_s_ = n_evaluations_ == 0 ? 0 : std::max(0.0, evaluation_s_ - order_.seconds(cell));
}

bool ReadyCells::drop(std::size_t cell) {
  const std::size_t rank = order_.rank(cell);
  for (Ranks* ranks : {&fresh_, &alone_, &trainings_}) {
    if (ranks->erase(rank) > 0) return true;
  }
  const auto group = by_checkpoint_.find(needs_.checkpoint(cell));
  if (group == by_checkpoint_.end() || group->second.erase(rank) == 0) return false;
  if (group->second.empty()) by_checkpoint_.erase(group);
  took_evaluation(cell);
  return true;
}

std::vector<std::size_t> ReadyCells::take_all(const std::function<bool(std::size_t)>& is_wanted) {
  std::vector<std::size_t> taken;
  const auto take_from = [&](Ranks& ranks) {
    std::size_t count = 0;
    for (auto at = ranks.begin(); at != ranks.end();) {
      const std::size_t cell = order_.cell(*at);
      if (!is_wanted(cell)) {
        ++at;
        continue;
      }
      taken.push_back(cell);
      ++count;
      at = ranks.erase(at);
    }
    return count;
  };
  take_from(fresh_);
  take_from(alone_);
  take_from(trainings_);
  const std::size_t evaluations = taken.size();
  for (auto& [checkpoint, cells] : by_checkpoint_) n_evaluations_ -= take_from(cells);
  for (std::size_t i = evaluations; i < taken.size(); ++i) {
    evaluation_s_ = std::max(0.0, evaluation_s_ - order_.seconds(taken[i]));
  }
  std::erase_if(by_checkpoint_, [](const auto& entry) { return entry.second.empty(); });
  std::sort(taken.begin(), taken.end());
  return taken;
}

std::size_t ReadyCells::take_alone() {
  return take_first(alone_);
}

}  // namespace unmask::run
