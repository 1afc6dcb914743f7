#pragma once
// The frame of an attack on a ball.

#include <limits>
#include <sstream>
#include <string>

#include <torch/types.h>

#include "unmask/attack.hpp"
#include "unmask/errors.hpp"
#include "unmask/kit/attack/names.hpp"

namespace unmask::kit {

/// The loss that pulls towards a target class instead of away from the label.
inline Loss targeted(Loss loss) {
  if (loss == Loss::kDlr) return Loss::kTargetedDlr;
  if (loss == Loss::kProbabilityMargin) return Loss::kTargetedProbabilityMargin;
  return loss == Loss::kMargin ? Loss::kTargetedMargin : Loss::kTargetedCrossEntropy;
}

/// Refuse a ball of another norm than the one the attack was built for: its steps would not fit;
/// and a radius of which a few do not fit into a number of the images' type.
/// @throws ParamError for such a radius
inline void check_threat(const Threat& threat, Norm norm, const Tensor& x) {
  UNMASK_CHECK(threat.norm == norm, "the threat's norm is not the norm of the attack");
  UNMASK_CHECK(threat.epsilon >= 0 && threat.lower < threat.upper,
               "epsilon must not be negative and the box must not be empty");
  const bool is_double = x.scalar_type() == at::kDouble;
  const double largest =
      is_double ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max();
  if (threat.epsilon > largest / 16) {
    std::ostringstream text;
    text << "epsilon = " << threat.epsilon << " is too large for images of "
         << (is_double ? "float64" : "float32") << "; pixels lie between " << threat.lower
         << " and " << threat.upper;
    throw ParamError(text.str());
  }
}

/// Frame of an attack on a ball: its norm, the check of the threat, and the cases in which there is
/// nothing to do.
class BallAttack : public Attack {
 public:
  explicit BallAttack(const std::string& norm) : norm_(norm_of(norm)) {}

  Norm norm() const final { return norm_; }

  Tensor perturb(Target& target,
                 const Tensor& x,
                 const Tensor& y,
                 const Threat& threat,
                 AttackContext& context) final {
    check_threat(threat, norm_, x);
    if (threat.epsilon == 0 || x.size(0) == 0) return x.clone();
    return search(target, x, y, threat, context);
  }

 private:
  /// perturb() for at least one sample and a ball that is not empty.
  virtual Tensor search(Target& target,
                        const Tensor& x,
                        const Tensor& y,
                        const Threat& threat,
                        AttackContext& context) = 0;

  Norm norm_;
};

}  // namespace unmask::kit
