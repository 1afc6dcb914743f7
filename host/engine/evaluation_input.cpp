#include "engine/evaluation_input.hpp"

#include <algorithm>
#include <numeric>

#include <torch/types.h>
#include <torch/utils.h>

#include "engine/target.hpp"
#include "unmask/random.hpp"

namespace unmask::engine {
namespace {

bool couples(const EvaluationInput& input, Model& model, const SolverSetup& solver) {
  return is_batch_coupled(
      model, solver, gather_images(input.data, {0}, input.dtype).to(input.device));
}

}  // namespace

Tensor all_images(const EvaluationInput& input) {
  std::vector<std::int64_t> samples(static_cast<std::size_t>(input.data.size()));
  std::iota(samples.begin(), samples.end(), 0);
  return gather_images(input.data, samples, input.dtype).to(input.device);
}

bool is_attacked_batch_coupled(const EvaluationInput& input) {
  Model& model = input.source ? input.source->model : input.model;
  const SolverSetup& solver = input.source ? input.source->solver : input.solver;
  const auto is_coupling = [&](const SolverSetup& other) { return couples(input, model, other); };
  return is_coupling(solver) ||
         std::any_of(input.gradients.begin(), input.gradients.end(), is_coupling) ||
         std::any_of(input.named_gradients.begin(),
                     input.named_gradients.end(),
                     [&](const NamedSolver& named) { return is_coupling(named.solver); });
}

void seed_generators(const EvaluationInput& input, const char* purpose, std::int64_t first_sample) {
  torch::manual_seed(derive_seed(input.seed, purpose, static_cast<std::uint64_t>(first_sample)));
}

}  // namespace unmask::engine
