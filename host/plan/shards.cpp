#include "plan/shards.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "unmask/errors.hpp"

namespace unmask::plan {
namespace {

using Group = std::vector<std::size_t>;

class Divider {
 public:
  Divider(const std::vector<wire::Cell>& cells, const std::vector<double>& costs)
      : cells_(cells), costs_(costs) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].kind == wire::CellKind::kTrain) trainings_.emplace(cells[i].key, i);
    }
  }

  // Cells that hang together through the trainings that they need.
  std::vector<Group> components() const {
    std::vector<std::size_t> root(cells_.size());
    std::iota(root.begin(), root.end(), std::size_t{0});
    const auto find = [&](std::size_t i) {
      while (root[i] != i) i = root[i] = root[root[i]];
      return i;
    };
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      for (const std::string& key : cells_[i].all_needs()) {
        const std::size_t a = find(i), b = find(training(i, key));
        root[std::max(a, b)] = std::min(a, b);
      }
    }
    std::unordered_map<std::size_t, std::size_t> group_of;
    std::vector<Group> groups;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const auto [found, is_new] = group_of.try_emplace(find(i), groups.size());
      if (is_new) groups.emplace_back();
      groups[found->second].push_back(i);
    }
    return groups;
  }

  std::vector<Group> single_trainings() const {
    std::vector<Group> groups;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (cells_[i].kind == wire::CellKind::kTrain) groups.push_back({i});
    }
    return groups;
  }

  // Evaluations of each network, in pieces that cost no more than `limit` unless it is one cell.
  std::vector<Group> evaluations(double limit) const {
    std::vector<Group> by_network(cells_.size());
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (cells_[i].needs) by_network[training(i, *cells_[i].needs)].push_back(i);
    }
    std::vector<Group> groups;
    for (const Group& network : by_network) {
      double cost = 0;
      for (const std::size_t cell : network) {
        if (cell == network.front() || cost + costs_[cell] > limit) {
          groups.emplace_back();
          cost = 0;
        }
        groups.back().push_back(cell);
        cost += costs_[cell];
      }
    }
    return groups;
  }

  double cost(const Group& group) const {
    double sum = 0;
    for (const std::size_t cell : group) sum += costs_[cell];
    return sum;
  }

  double cost(const std::vector<Group>& groups) const {
    double sum = 0;
    for (const Group& group : groups) sum += cost(group);
    return sum;
  }

  // From the dearest to the cheapest, each to the shard that has least.
  std::vector<Shard> deal(std::vector<Group> groups, std::size_t count, bool second) const {
    std::stable_sort(groups.begin(), groups.end(), [&](const Group& a, const Group& b) {
      return cost(a) > cost(b);
    });
    std::vector<Shard> shards(std::min(count, groups.size()));
    for (std::size_t i = 0; i < groups.size(); ++i) {
      // The first ones to a shard each: a group without cost leaves none empty either.
      Shard& shard =
          i < shards.size()
              ? shards[i]
              : *std::min_element(shards.begin(), shards.end(), [](const Shard& a, const Shard& b) {
                  return a.cost < b.cost;
                });
      shard.cost += cost(groups[i]);
      shard.cells.insert(shard.cells.end(), groups[i].begin(), groups[i].end());
      shard.is_second_stage = second;
    }
    for (Shard& shard : shards) std::sort(shard.cells.begin(), shard.cells.end());
    return shards;
  }

 private:
  std::size_t training(std::size_t cell, const std::string& key) const {
    const auto found = trainings_.find(key);
    UNMASK_CHECK(found != trainings_.end(),
                 "cell " + cells_[cell].key + " needs " + key + ", which is no training");
    return found->second;
  }

  const std::vector<wire::Cell>& cells_;
  const std::vector<double>& costs_;
  std::unordered_map<std::string_view, std::size_t> trainings_;
};

}  // namespace

std::vector<Shard> make_shards(const std::vector<wire::Cell>& cells,
                               const std::vector<double>& costs,
                               std::size_t count,
                               bool is_split) {
  UNMASK_CHECK(costs.size() == cells.size(), "every cell has a cost");
  UNMASK_CHECK(count >= (is_split ? 2u : 1u), "there are too few shards");
  const Divider divider(cells, costs);
  if (!is_split) return divider.deal(divider.components(), count, false);

  const std::vector<Group> trainings = divider.single_trainings();
  const double of_trainings = divider.cost(trainings);
  const double all = std::accumulate(costs.begin(), costs.end(), 0.0);
  const double share = all > 0 ? of_trainings / all : 0;
  const auto wanted = static_cast<std::size_t>(std::llround(share * static_cast<double>(count)));
  const std::size_t first = std::clamp<std::size_t>(
      wanted, 1, std::max<std::size_t>(1, std::min(trainings.size(), count - 1)));
  const std::size_t second = count - first;
  std::vector<Shard> shards = divider.deal(trainings, first, false);
  const double limit = (all - of_trainings) / static_cast<double>(second);
  for (Shard& shard : divider.deal(divider.evaluations(limit), second, true)) {
    shards.push_back(std::move(shard));
  }
  return shards;
}

}  // namespace unmask::plan
