#include "engine/outputs.hpp"

#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

// [B, K], or undefined when an ODE solve does not come to its end.
Tensor outputs_of(Model& model, const SolverSetup& solver, const Tensor& images) {
  const torch::NoGradGuard no_grad;
  model.set_training(false);
  ode::Session session(solver.method, solver.options);
  try {
    return model.forward(images, session);
  } catch (const NumericError&) {
    // Another solver may evaluate the network well; cells under this one say what is wrong.
    return {};
  }
}

}  // namespace

bool are_probabilities(const Tensor& outputs) {
  // Values may stray by the rounding of a softmax in float32, sums by that of a thousand classes.
  constexpr double kValueRoom = 1e-6;
  constexpr double kSumRoom = 1e-3;
  if (outputs.dim() != 2 || outputs.size(0) == 0 || outputs.size(1) < 2) return false;
  const Tensor values = outputs.to(at::kDouble);
  return values.ge(-kValueRoom).logical_and(values.le(1 + kValueRoom)).all().item<bool>() &&
         (values.sum(1) - 1).abs().le(kSumRoom).all().item<bool>();
}

void describe_outputs(Model& model,
                      const SolverSetup& solver,
                      const Tensor& images,
                      std::int64_t num_classes,
                      wire::CellResult& result) {
  const std::int64_t n = images.size(0);
  if (n == 0) return;
  const Tensor outputs = outputs_of(model, solver, images);
  double lowest = std::nan("");
  double highest = lowest;
  double is_probability = lowest;
  double is_one_hot = lowest;
  if (outputs.defined()) {
    TORCH_CHECK(outputs.dim() == 2 && outputs.size(0) == n && outputs.size(1) == num_classes &&
                    outputs.is_floating_point(),
                "the model must give floating-point logits [",
                n,
                ", ",
                num_classes,
                "], it gave ",
                outputs.scalar_type(),
                " ",
                outputs.sizes());
    lowest = outputs.min().item<double>();
    highest = outputs.max().item<double>();
    is_probability = are_probabilities(outputs) ? 1 : 0;
    is_one_hot = is_probability == 1 && outputs.eq(0).logical_or(outputs.eq(1)).all().item<bool>();
  }
  result.metrics.push_back({"output_min", lowest, n});
  result.metrics.push_back({"output_max", highest, n});
  result.metrics.push_back({"output_is_probability", is_probability, n});
  result.metrics.push_back({"output_is_one_hot", is_one_hot, n});
}

}  // namespace unmask::engine
