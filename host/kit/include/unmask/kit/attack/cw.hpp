#pragma once
// What the attacks of Carlini and Wagner [CW17] share: pixels as a function of free variables, Adam
// for every sample by itself, and the search for the weight of the margin.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include <torch/types.h>

#include "unmask/attack.hpp"

namespace unmask::kit {

/// Pixels in the box [lower, upper] as lower + (upper - lower) (tanh(w) + 1) / 2: every w is
/// allowed.
class TanhBox {
 public:
  explicit TanhBox(const Threat& threat)
      : lower_(threat.lower), range_(threat.upper - threat.lower) {}

  /// w of some pixels. Those at a border are moved inside by 5e-7 of the box: their w is infinite.
  Tensor free(const Tensor& pixels) const {
    const Tensor centred = (pixels - lower_) * (2 / range_) - 1;
    return (centred * 0.999999).atanh();
  }

  /// Clamped, because rounding can leave the box.
  Tensor pixels(const Tensor& free) const {
    return (lower_ + range_ / 2 * (free.tanh() + 1)).clamp(lower_, lower_ + range_);
  }

  /// d pixels / d w
  Tensor slope(const Tensor& free) const { return range_ / 2 * (1 - free.tanh().square()); }

 private:
  double lower_;
  double range_;
};

/// Adam [Kingma15] with its usual constants; every entry has its own moments, so rows do not meet.
struct Adam {
  Tensor mean;
  Tensor square;
  std::int64_t steps = 0;
  double epsilon;

  explicit Adam(const Tensor& like, double added = 1e-8)
      : mean(at::zeros_like(like)), square(at::zeros_like(like)), epsilon(added) {}

  /// The step that lowers a function with this gradient.
  Tensor step(const Tensor& gradient, double rate) {
    ++steps;
    mean = 0.9 * mean + 0.1 * gradient;
    square = 0.999 * square + 0.001 * gradient.square();
    const auto n = static_cast<double>(steps);
    return -rate * (mean / (1 - std::pow(0.9, n))) /
           ((square / (1 - std::pow(0.999, n))).sqrt() + epsilon);
  }
};

/// The weight c of every sample: too small and nothing falls, too large and the perturbation grows.
/// Binary search between the largest weight that failed and the smallest that succeeded; while none
/// has succeeded, ten times the last.
class WeightSearch {
 public:
  WeightSearch(const Tensor& like, double initial)
      : lower_(at::zeros({like.size(0)}, like.options().dtype(at::kDouble))),
        upper_(at::full_like(lower_, std::numeric_limits<double>::infinity())),
        weight_(at::full_like(lower_, initial)) {}

  const Tensor& weights() const { return weight_; }
  const Tensor& upper() const { return upper_; }

  /// Move on after a round.
  /// @param fooled  bool [B]: whose last weight succeeded
  void update(const Tensor& fooled) {
    upper_ = at::where(fooled, at::minimum(upper_, weight_), upper_);
    lower_ = at::where(fooled, lower_, at::maximum(lower_, weight_));
    weight_ = at::where(upper_.isfinite(), (lower_ + upper_) / 2, weight_ * 10);
  }

  /// The smallest weight that succeeded, where there is one: for the last round.
  void use_upper() { weight_ = at::where(upper_.isfinite(), upper_, weight_); }

 private:
  Tensor lower_;
  Tensor upper_;
  Tensor weight_;
};

/// Notices per sample when an objective stops falling: a tenth of the steps must lower it by one
/// part in 10^4.
class StallDetector {
 public:
  StallDetector(const Tensor& like, std::int64_t steps)
      : window_(std::max<std::int64_t>(steps / 10, 1)),
        last_(at::full({like.size(0)},
                       std::numeric_limits<double>::infinity(),
                       like.options().dtype(at::kDouble))) {}

  /// bool [rows]: who has stalled at step i. False for all between two checks.
  Tensor stalled(std::int64_t i, const Tensor& objective) {
    if (i % window_ != 0) return at::zeros_like(objective, objective.options().dtype(at::kBool));
    const Tensor result = objective > last_ * 0.9999;
    last_ = objective;
    return result;
  }

  /// Per-row state, to be cut with the rows.
  Tensor* state() { return &last_; }

 private:
  std::int64_t window_;
  Tensor last_;
};

}  // namespace unmask::kit
