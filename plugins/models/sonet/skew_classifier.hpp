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

#include <torch/nn/init.h>
#include <torch/types.h>

#include "unmask/kit/model/ode_block.hpp"
#include "unmask/kit/model/skew_block.hpp"

namespace unmask::kit {

/// z(0). The reference makes it in float32 and widens it where the network is float64; its numbers
/// show that in the ninth digit.
constexpr double kInitialLogit = 0.1F;

/// The classifier's function, its parameters under the names of the reference:
/// ode_block<SkewClassifier>(name of the solve, features, classes, options).
class SkewClassifier final : public OdeFunction {
 public:
  SkewClassifier(std::int64_t features, std::int64_t classes, const SkewOptions& options)
      : features_(features), classes_(classes), options_(options) {
    weight_ = register_parameter("weight", torch::empty({features, classes}));
    bias_ = register_parameter("bias", torch::empty({features + classes}));
    // LibTorch's rule for a linear layer that maps `classes` to `features`: everything is uniform
    // in +-1/sqrt(classes).
    const double bound = 1 / std::sqrt(static_cast<double>(classes));
    torch::nn::init::kaiming_uniform_(weight_, std::sqrt(5.0));
    torch::nn::init::uniform_(bias_, -bound, bound);
  }

  State start(const Tensor& features) const override {
    const Tensor logits = at::full({features.size(0), classes_}, kInitialLogit, features.options());
    return {at::cat({features, logits}, 1)};
  }

  std::shared_ptr<VectorField> field(const Tensor& /*features*/) override {
    return autonomous_field([features = features_,
                             classes = classes_,
                             damping = options_.damping,
                             slope = options_.slope,
                             weight = weight_,
                             transposed = weight_.t().neg(),
                             bias_y = bias_.narrow(0, 0, features_),
                             bias_z = bias_.narrow(0, features_, classes_)](const State& state) {
      const Tensor active = at::leaky_relu(state[0], slope);
      const Tensor dy = at::linear(active.narrow(1, features, classes), weight, bias_y);
      const Tensor dz = at::linear(active.narrow(1, 0, features), transposed, bias_z);
      Tensor slopes = at::cat({dy, dz}, 1);
      if (damping != 0) slopes.sub_(state[0], damping);
      return State{slopes};
    });
  }

  Tensor result(const State& end) const override { return end[0].narrow(1, features_, classes_); }

 private:
  std::int64_t features_;
  std::int64_t classes_;
  SkewOptions options_;
  Tensor weight_;  ///< [D, K]
  Tensor bias_;    ///< [D + K]: b1, then b2
};

}  // namespace unmask::kit
