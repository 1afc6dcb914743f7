#pragma once
// An ODE as a layer of a network. A new architecture is a function with its parameters and its
// right-hand side:
//
//   class Relaxation final : public OdeFunction {          // y' = tanh(conv(y)) - y,  y(0) = x
//    public:
//     explicit Relaxation(std::int64_t channels)
//         : conv_(register_module("conv", plain_conv(channels, channels, 3, 1))) {}
//
//     std::shared_ptr<VectorField> field(const Tensor&) override {
//       return autonomous_field(
//           [conv = conv_](const State& y) mutable { return State{conv(y[0]).tanh() - y[0]}; });
//     }
//
//    private:
//     torch::nn::Conv2d conv_;
//   };
//
//   block_ = register_module("block", ode_block<Relaxation>("block", channels));
//   y = block_->forward(y, ode);

#include <memory>
#include <string>
#include <utility>

#include <torch/nn/module.h>

#include "unmask/vector_field.hpp"

namespace unmask::kit {

/// What an ODE layer computes with: its parameters, where it starts, its right-hand side, and what
/// it hands on.
class OdeFunction : public torch::nn::Module {
 public:
  /// y(0) for the layer's input; the input itself unless said otherwise.
  virtual State start(const Tensor& x) const { return {x}; }

  /// The right-hand side of one solve that starts from x. Compute here, once, what depends on
  /// parameters and on the shape of x alone. Let it hold what it needs by value (a module holder is
  /// a pointer): it may live longer than the model.
  virtual std::shared_ptr<VectorField> field(const Tensor& x) = 0;

  /// The layer's output; the first component of y(1) unless said otherwise.
  virtual Tensor result(const State& end) const { return end[0]; }
};

/// The layer: integrates a function over 0 <= t <= 1. Parameters are called "odefunc.NAME", as in
/// the reference.
class OdeBlockImpl final : public torch::nn::Module {
 public:
  /// @param name  of its solve
  OdeBlockImpl(std::string name, std::shared_ptr<OdeFunction> function)
      : name_(std::move(name)), function_(register_module("odefunc", std::move(function))) {}

  Tensor forward(const Tensor& x, OdeContext& ode) {
    return function_->result(ode.integrate(name_, function_->field(x), function_->start(x), 0, 1));
  }

 private:
  std::string name_;
  std::shared_ptr<OdeFunction> function_;
};

/// A layer around a function made from `arguments`.
template <class Function, class... Arguments>
std::shared_ptr<OdeBlockImpl> ode_block(std::string name, Arguments&&... arguments) {
  return std::make_shared<OdeBlockImpl>(
      std::move(name), std::make_shared<Function>(std::forward<Arguments>(arguments)...));
}

namespace detail {

template <class Slope>
class AutonomousField final : public VectorField {
 public:
  explicit AutonomousField(Slope slope) : slope_(std::move(slope)) {}
  State evaluate(const Scalar& /*t*/, const State& y) override { return slope_(y); }
  bool is_autonomous() const override { return true; }

 private:
  Slope slope_;
};

template <class Slope>
class TimedField final : public VectorField {
 public:
  explicit TimedField(Slope slope) : slope_(std::move(slope)) {}
  State evaluate(const Scalar& t, const State& y) override { return slope_(t, y); }

 private:
  Slope slope_;
};

}  // namespace detail

/// dy/dt = slope(y). @param slope  callable: (const State&) -> State
template <class Slope>
std::shared_ptr<VectorField> autonomous_field(Slope slope) {
  return std::make_shared<detail::AutonomousField<Slope>>(std::move(slope));
}

/// dy/dt = slope(t, y). @param slope  callable: (const Scalar&, const State&) -> State
template <class Slope>
std::shared_ptr<VectorField> timed_field(Slope slope) {
  return std::make_shared<detail::TimedField<Slope>>(std::move(slope));
}

}  // namespace unmask::kit
