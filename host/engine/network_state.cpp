#include "engine/network_state.hpp"

#include <algorithm>
#include <utility>

#include <torch/types.h>

#include "engine/model_state.hpp"
#include "ode/contract.hpp"

namespace unmask::engine {

NetworkState::NetworkState(Model& model, std::function<void()> reload)
    : model_(model), reload_(std::move(reload)) {
  look();
}

void NetworkState::look() {
  seen_.clear();
  for (NamedTensor& named : all_tensors(model_)) {
    const std::uint32_t writes = ode::writes_to(named.tensor);
    seen_.push_back({std::move(named), writes});
  }
}

void NetworkState::begin_cell() {
  restore();
  written_.clear();
}

void NetworkState::restore() {
  const std::vector<NamedTensor> now = all_tensors(model_);
  bool is_as_it_was = now.size() == seen_.size();
  for (std::size_t i = 0; i < std::min(now.size(), seen_.size()); ++i) {
    const Seen& before = seen_[i];
    if (now[i].tensor.is_same(before.named.tensor) &&
        ode::writes_to(now[i].tensor) == before.writes) {
      continue;
    }
    written_.insert(now[i].name);
    is_as_it_was = false;
  }
  if (is_as_it_was) return;
  reload_();
  look();
}

}  // namespace unmask::engine
