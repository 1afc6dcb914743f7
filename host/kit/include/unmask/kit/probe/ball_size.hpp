#pragma once
// The ball whose size the steps of a probe are shares of, as probes declare it.

#include <cmath>
#include <string>

#include <torch/types.h>

#include "unmask/errors.hpp"
#include "unmask/kit/attack/names.hpp"
#include "unmask/kit/attack/radius.hpp"
#include "unmask/params.hpp"
#include "unmask/threat.hpp"

namespace unmask::kit {

inline ParamSpec ball_norm() {
  return choice("norm", {"linf", "l2"}, "norm of the ball that epsilon is the radius of")
      .by_default("linf");
}

inline ParamSpec ball_epsilon() {
  return real("epsilon",
              "radius of the ball that steps are shares of; \"${epsilon}\": that of the cell")
      .by_default(8.0 / 255)
      .above(0)
      .unit("pixel range");
}

/// Steps that move every pixel by the same amount, up or down, and whose length in the norm is a
/// share of epsilon. As a unit vector v = signs / sqrt(D) and a distance h along it: h = share
/// epsilon sqrt(D) in linf, share epsilon in l2.
class BallSize {
 public:
  explicit BallSize(const Params& params)
      : norm_(norm_of(params.get_text("norm"))), epsilon_(radius_of(params, norm_)) {}

  Norm norm() const { return norm_; }
  double epsilon() const { return epsilon_; }
  Threat threat() const { return {norm_, epsilon_, 0, 1}; }

  /// By how much such a step moves each pixel of x [B, ...].
  double pixel_step(const Tensor& x, double share) const {
    const auto pixels = static_cast<double>(x[0].numel());
    return share * (norm_ == Norm::kL2 ? epsilon_ / std::sqrt(pixels) : epsilon_);
  }

  /// x moved so far into the box [0, 1] that a step of this share, either way, stays inside: no
  /// farther than that step, in any pixel.
  /// @throws ParamError where the box is narrower than two such steps
  Tensor inside_box(const Tensor& x, double share) const {
    const double step = pixel_step(x, share);
    if (step >= 0.5) {
      throw ParamError("parameter \"epsilon\" = " + std::to_string(epsilon_) + ": a step of " +
                       std::to_string(step) +
                       " each way does not fit into pixels from 0 to 1; give a smaller epsilon");
    }
    return x.clamp(step, 1 - step);
  }

 private:
  Norm norm_;
  double epsilon_;
};

}  // namespace unmask::kit
