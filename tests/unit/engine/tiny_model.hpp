#pragma once
// Models and attacks for tests of the engine that need no plugin library.

#include <functional>
#include <memory>

#include <torch/types.h>

#include "engine/data.hpp"
#include "engine/network.hpp"
#include "unmask/attack.hpp"
#include "unmask/model.hpp"

namespace unmask::engine {

/// logits = flatten(x) W^T, optionally after an ODE block y' = a y on [0, 1] named "flow".
class LinearModel final : public Model {
 public:
  explicit LinearModel(Tensor weight, bool has_ode = false)
      : weight_(std::move(weight)), has_ode_(has_ode) {}

  Tensor forward(const Tensor& x, OdeContext& ode) override {
    Tensor y = x;
    if (has_ode_) {
      y = ode.integrate("flow", std::make_shared<Growth>(), {x}, 0, 1)[0];
    }
    return at::linear(y.flatten(1), weight_);
  }
  std::vector<NamedTensor> parameters() override { return {{"weight", weight_}}; }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool training) override { is_training = training; }
  void to(const std::string&, at::ScalarType) override {}

  bool is_training = false;

 private:
  // y' = y^2 / 2: nonlinear, so that step sizes depend on the state.
  class Growth final : public VectorField {
   public:
    State evaluate(const Scalar&, const State& y) override { return {y[0] * y[0] / 2}; }
  };

  Tensor weight_;
  bool has_ode_;
};

/// Hands the batch to a function.
class FunctionAttack final : public Attack {
 public:
  using Function = std::function<Tensor(Target&, const Tensor&, const Tensor&, const Threat&)>;
  explicit FunctionAttack(Function function) : function_(std::move(function)) {}
  Norm norm() const override { return Norm::kLinf; }
  Tensor perturb(Target& target,
                 const Tensor& x,
                 const Tensor& y,
                 const Threat& threat,
                 AttackContext&) override {
    return function_(target, x, y, threat);
  }

 private:
  Function function_;
};

/// Euler in one step, or the Heun-Euler pair with adaptive steps at tolerance 0.1.
inline SolverSetup make_setup(bool is_adaptive) {
  Tableau tableau{.order = 1, .b = {1}};
  if (is_adaptive) {
    tableau = {.order = 2,
               .controller_order = 2,
               .a = {{1}},
               .b = {0.5, 0.5},
               .c = {1},
               .error = {-0.5, 0.5},
               .mid = {0.5, 0}};
  }
  SolverSetup setup;
  setup.id = is_adaptive ? "heun" : "euler";
  setup.method = std::make_shared<RungeKutta>(tableau);
  setup.options.is_adaptive = is_adaptive;
  setup.options.rtol = 0.1;
  setup.options.atol = 0.1;
  return setup;
}

/// Two classes by the sign of x0 - x1 (one channel, 1 x 2 pixels): margins 0.4, -0.2, 0.6, 0.1 for
/// labels 0 0 1 1.
inline LoadedSplit four_samples() {
  const Tensor images =
      torch::tensor({0.7f, 0.3f, 0.4f, 0.6f, 0.2f, 0.8f, 0.45f, 0.55f}).view({4, 1, 1, 2});
  return {images, torch::tensor({0, 0, 1, 1}, torch::kLong)};
}

inline Tensor difference_weight() {
  return torch::tensor({{1.0f, 0.0f}, {0.0f, 1.0f}});
}

}  // namespace unmask::engine
