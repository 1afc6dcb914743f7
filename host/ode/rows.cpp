#include "ode/rows.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <torch/types.h>

namespace unmask::ode {

State rows_of(const State& state, const std::vector<std::int64_t>& index) {
  if (state.empty()) return {};
  const Tensor position = to_tensor(index, state.front());
  State out;
  for (const Tensor& component : state) out.push_back(component.index_select(0, position));
  return out;
}

std::vector<std::int64_t> positions(const std::vector<bool>& flags) {
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    if (flags[i]) out.push_back(static_cast<std::int64_t>(i));
  }
  return out;
}

bool any(const std::vector<bool>& flags) {
  return std::find(flags.begin(), flags.end(), true) != flags.end();
}

State choose(const std::vector<bool>& flags, const State& a, const State& b) {
  std::vector<double> numbers(flags.begin(), flags.end());
  const Tensor mask = to_tensor(numbers, a.front()).to(at::kBool);
  State out;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(a[i].dim()), 1);
    shape[0] = mask.size(0);
    out.push_back(at::where(mask.view(shape), a[i], b[i]));
  }
  return out;
}

Lanes choose(const std::vector<bool>& flags, const Lanes& a, const Lanes& b) {
  std::vector<double> value(flags.size());
  std::vector<double> takes(flags.size());
  std::vector<double> leaves(flags.size());
  for (std::size_t i = 0; i < flags.size(); ++i) {
    value[i] = flags[i] ? a.value[i] : b.value[i];
    takes[i] = flags[i] ? 1 : 0;
    leaves[i] = flags[i] ? 0 : 1;
  }
  return linked(std::move(value), {{&a, takes}, {&b, leaves}});
}

void Assembly::add(const std::vector<std::int64_t>& lanes, State rows) {
  lanes_.insert(lanes_.end(), lanes.begin(), lanes.end());
  parts_.push_back(std::move(rows));
}

State Assembly::state() const {
  if (parts_.size() == 1 && std::is_sorted(lanes_.begin(), lanes_.end())) return parts_.front();
  std::vector<std::int64_t> order(lanes_.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return lanes_[static_cast<std::size_t>(a)] < lanes_[static_cast<std::size_t>(b)];
  });
  State out;
  for (std::size_t i = 0; i < parts_.front().size(); ++i) {
    std::vector<Tensor> components;
    for (const State& part : parts_) components.push_back(part[i]);
    const Tensor all = at::cat(components, 0);
    out.push_back(all.index_select(0, to_tensor(order, all)));
  }
  return out;
}

}  // namespace unmask::ode
