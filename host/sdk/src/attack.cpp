#include "unmask/attack.hpp"

#include <limits>

#include <torch/types.h>

namespace unmask {
inline namespace v1 {
namespace {

// float32 has 24 bits: x + d rounds by up to 6e-8 for values in [0, 1], and the host allows
// epsilon * (1 + 1e-6) + 1e-7. One part in 10^7 keeps iterates inside without weakening them.
constexpr double kShrink = 1.0 - 1e-7;

// In float64: squares of small float32 values would vanish, and long sums would lose digits.
Tensor per_sample_norm(const Tensor& d, Norm norm) {
  const Tensor flat = d.flatten(1).to(at::kDouble);
  return norm == Norm::kLinf ? flat.abs().amax(1) : flat.norm(2, 1);
}

Tensor per_row(Tensor values, const Tensor& like) {
  while (values.dim() < like.dim()) values = values.unsqueeze(-1);
  return values;
}

// `moved` is x + d after rounding. Where rounding went outwards, take the next number towards x:
// many equal pixels would otherwise round alike, and the sum of their errors would leave an L2
// ball.
Tensor rounded_inwards(const Tensor& moved, const Tensor& x, const Tensor& d) {
  return at::where((moved - x).abs() > d.abs(), at::nextafter(moved, x), moved);
}

void check_rows(const Tensor& x, const Tensor& rows) {
  TORCH_CHECK(x.dim() >= 2, "a batch [B, ...] was expected, got ", x.sizes());
  TORCH_CHECK(!rows.defined() || (rows.dim() == 1 && rows.size(0) == x.size(0)),
              "rows must name the ",
              x.size(0),
              " rows of x, got ",
              rows.defined() ? rows.sizes() : at::IntArrayRef{});
}

}  // namespace

Tensor Target::logits(const Tensor& x, const Tensor& rows) {
  check_rows(x, rows);
  return do_logits(x, rows);
}

LossGradient Target::loss_and_gradient(const Tensor& x,
                                       const Tensor& y,
                                       Loss loss,
                                       const Tensor& rows) {
  check_rows(x, rows);
  TORCH_CHECK(
      y.dim() == 1 && y.size(0) == x.size(0), "labels must be [", x.size(0), "], got ", y.sizes());
  return do_loss_and_gradient(x, y, loss, rows);
}

Tensor per_sample_loss(const Tensor& logits, const Tensor& labels, Loss loss) {
  const Tensor index = labels.unsqueeze(1);
  if (loss == Loss::kCrossEntropy) {
    return -at::log_softmax(logits, 1).gather(1, index).squeeze(1);
  }
  const Tensor own = logits.gather(1, index).squeeze(1);
  const Tensor others = logits.scatter(1, index, -std::numeric_limits<double>::infinity()).amax(1);
  return others - own;
}

Tensor project(const Tensor& x_adv, const Tensor& x, const Threat& threat) {
  TORCH_CHECK(x_adv.sizes() == x.sizes(),
              "the perturbed batch is ",
              x_adv.sizes(),
              ", the clean one ",
              x.sizes());
  const double epsilon = threat.epsilon * kShrink;
  if (threat.norm == Norm::kLinf) {
    const Tensor inside = at::minimum(at::maximum(x_adv, x - epsilon), x + epsilon);
    return inside.clamp(threat.lower, threat.upper);
  }
  const Tensor d = x_adv - x;
  const Tensor norms = per_sample_norm(d, Norm::kL2);
  // A zero perturbation has nothing to scale; the clamp keeps the division defined for it.
  const Tensor scale = (epsilon / norms.clamp_min(1e-300)).clamp_max(1.0).to(x.scalar_type());
  const Tensor inside = d * per_row(scale, d);
  return rounded_inwards(x + inside, x, inside).clamp(threat.lower, threat.upper);
}

Tensor distance(const Tensor& x_adv, const Tensor& x, Norm norm) {
  return per_sample_norm(x_adv.to(at::kDouble) - x.to(at::kDouble), norm);
}

}  // namespace v1
}  // namespace unmask
