#pragma once
// Runs an attack or a probe plugin against a fake target, as the host would.

#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <torch/types.h>

#include "support/plugins.hpp"
#include "unmask/attack.hpp"
#include "unmask/probe.hpp"

namespace unmask::test {

using Values = std::map<std::string, ParamValue>;

inline AttackContext context_for(std::vector<std::int64_t> ids, std::uint64_t seed = 1) {
  return {SampleRandom(seed, std::move(ids))};
}

inline AttackContext context_for(const Tensor& x, std::uint64_t seed = 1) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(x.size(0)));
  std::iota(ids.begin(), ids.end(), 0);
  return context_for(std::move(ids), seed);
}

/// What a probe gets for a batch; sample ids are 0, 1, ...
inline ProbeContext probe_context_for(const Tensor& x,
                                      std::vector<NamedGradient> gradients = {},
                                      std::uint64_t seed = 1) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(x.size(0)));
  std::iota(ids.begin(), ids.end(), 0);
  return {SampleRandom(seed, ids), ids, std::move(gradients)};
}

/// One attack on one batch; sample ids are 0, 1, ...
inline Tensor attack(const std::string& id,
                     const Values& values,
                     Target& target,
                     const Tensor& x,
                     const Tensor& y,
                     double epsilon,
                     std::uint64_t seed = 1) {
  const auto instance = make_plugin<Attack>("attack", id, values);
  AttackContext context = context_for(x, seed);
  return instance->perturb(target, x, y, {instance->norm(), epsilon, 0, 1}, context);
}

}  // namespace unmask::test
