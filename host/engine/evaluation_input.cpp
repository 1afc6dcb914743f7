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
  return is_batch_coupled(model, solver, images_of(input, {0, 1}));
}

}  // namespace

Tensor images_of(const EvaluationInput& input, const wire::PartSpan& span) {
  return gather_images(input.data, samples_of(span), input.dtype).to(input.device);
}

std::int64_t unit_of(const EvaluationInput& input) {
  return std::lcm(input.batch_size, input.method_batch);
}

wire::PartSpan unit_at(const EvaluationInput& input, std::int64_t first) {
  return {first, std::min(unit_of(input), input.data.size() - first)};
}

std::vector<std::int64_t> samples_of(const wire::PartSpan& span) {
  std::vector<std::int64_t> samples(static_cast<std::size_t>(span.count));
  std::iota(samples.begin(), samples.end(), span.first);
  return samples;
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

void begin_passes(const EvaluationInput& input, const char* purpose, std::int64_t first_sample) {
  if (input.state != nullptr) input.state->restore();
  if (input.source && input.source->state != nullptr) input.source->state->restore();
  torch::manual_seed(derive_seed(input.seed, purpose, static_cast<std::uint64_t>(first_sample)));
}

}  // namespace unmask::engine
