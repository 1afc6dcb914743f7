#include "run/order.hpp"

#include <algorithm>
#include <numeric>

#include "unmask/errors.hpp"

namespace unmask::run {

Order::Order(const std::vector<wire::Cell>& plan,
             const Needs& needs,
             const std::vector<CellCost>& costs)
    : seconds_(plan.size(), 0), rank_(plan.size()), cell_(plan.size()) {
  UNMASK_CHECK(costs.empty() || costs.size() == plan.size(), "a plan has one cost for each cell");
  for (std::size_t i = 0; i < costs.size(); ++i) seconds_[i] = costs[i].seconds;
  std::vector<double> waited_for = seconds_;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    for (const std::size_t training : needs.all(i)) {
      waited_for[training] = std::max(waited_for[training], seconds_[training] + seconds_[i]);
    }
  }
  std::iota(cell_.begin(), cell_.end(), std::size_t{0});
  std::stable_sort(cell_.begin(), cell_.end(), [&](std::size_t a, std::size_t b) {
    return waited_for[a] > waited_for[b];
  });
  for (std::size_t i = 0; i < cell_.size(); ++i) rank_[cell_[i]] = i;
}

bool may_stay(double longest_elsewhere, double left, std::size_t workers) {
  return longest_elsewhere * static_cast<double>(workers) <= left;
}

}  // namespace unmask::run
