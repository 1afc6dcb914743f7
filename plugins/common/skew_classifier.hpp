#pragma once
// The ODE classifier of SONet: features y and logits z, coupled by a matrix and minus its
// transpose.
//
//   y' =  W a(z)   + b1 - g y      y: [B, D]    y(0) = features
//   z' = -W^T a(y) + b2 - g z      z: [B, K]    z(0) = 0.1,   0 <= t <= 1
//
// a is leaky ReLU; the logits are z(1). The reference integrates y and z as one tensor [B, D + K],
// so an adaptive solver measures one error over both; this does the same.

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include "skew_block.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::plugins {

/// z(0). The reference makes it in float32 and widens it where the network is float64; its numbers
/// show that in the ninth digit.
constexpr double kInitialLogit = 0.1F;

/// The parameters of the classifier's field, under the names of the reference.
class SkewClassifierFunctionImpl final : public torch::nn::Module {
 public:
  SkewClassifierFunctionImpl(std::int64_t features, std::int64_t classes) {
    weight = register_parameter("weight", torch::empty({features, classes}));
    bias = register_parameter("bias", torch::empty({features + classes}));
    // LibTorch's rule for a linear layer that maps `classes` to `features`: everything is uniform
    // in
    // +-1/sqrt(classes).
    const double bound = 1 / std::sqrt(static_cast<double>(classes));
    torch::nn::init::kaiming_uniform_(weight, std::sqrt(5.0));
    torch::nn::init::uniform_(bias, -bound, bound);
  }

  Tensor weight;  ///< [D, K]
  Tensor bias;    ///< [D + K]: b1, then b2
};

/// The field of one solve.
class SkewClassifierField final : public VectorField {
 public:
  SkewClassifierField(const SkewClassifierFunctionImpl& function, const SkewOptions& options)
      : options_(options),
        features_(function.weight.size(0)),
        classes_(function.weight.size(1)),
        weight_(function.weight),
        transposed_(function.weight.t().neg()),
        bias_y_(function.bias.narrow(0, 0, features_)),
        bias_z_(function.bias.narrow(0, features_, classes_)) {}

  State evaluate(const Scalar& /*t*/, const State& state) override {
    const Tensor active = at::leaky_relu(state[0], options_.slope);
    const Tensor dy = at::linear(active.narrow(1, features_, classes_), weight_, bias_y_);
    const Tensor dz = at::linear(active.narrow(1, 0, features_), transposed_, bias_z_);
    Tensor result = at::cat({dy, dz}, 1);
    if (options_.damping != 0) result.sub_(state[0], options_.damping);
    return {result};
  }

  bool is_autonomous() const override { return true; }

 private:
  SkewOptions options_;
  std::int64_t features_;
  std::int64_t classes_;
  Tensor weight_;
  Tensor transposed_;
  Tensor bias_y_;
  Tensor bias_z_;
};

/// [B, D] -> [B, K].
class SkewClassifierImpl final : public torch::nn::Module {
 public:
  /// @param name  of its solve
  SkewClassifierImpl(std::string name,
                     std::int64_t features,
                     std::int64_t classes,
                     const SkewOptions& options)
      : name_(std::move(name)),
        features_(features),
        classes_(classes),
        options_(options),
        function_(register_module(
            "odefunc", std::make_shared<SkewClassifierFunctionImpl>(features, classes))) {}

  Tensor forward(const Tensor& features, OdeContext& ode) {
    const auto field = std::make_shared<SkewClassifierField>(*function_, options_);
    const Tensor start = at::full({features.size(0), classes_}, kInitialLogit, features.options());
    const Tensor end = ode.integrate(name_, field, {at::cat({features, start}, 1)}, 0, 1)[0];
    return end.narrow(1, features_, classes_);
  }

 private:
  std::string name_;
  std::int64_t features_;
  std::int64_t classes_;
  SkewOptions options_;
  std::shared_ptr<SkewClassifierFunctionImpl> function_;
};

}  // namespace unmask::plugins
