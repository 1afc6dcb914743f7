#include "unmask/attack.hpp"

#include <limits>

#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask {
inline namespace v1 {
namespace {

// float32 has 24 bits: x + d rounds by up to 6e-8 for values in [0, 1], and the host allows
// epsilon * (1 + 1e-6) + 1e-7. One part in 10^7 keeps iterates inside without weakening them.
constexpr double kShrink = 1.0 - 1e-7;

// In float64: squares of small float32 values would vanish, and long sums would lose digits.
Tensor per_sample_norm(const Tensor& d, Norm norm) {
  const Tensor flat = d.flatten(1).to(at::kDouble);
  if (norm == Norm::kLinf) return flat.abs().amax(1);
  return norm == Norm::kL1 ? flat.abs().sum(1) : flat.norm(2, 1);
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

// Keeps the quotient defined when the first three or four logits are equal; as in [CH20a].
constexpr double kDlrOffset = 1e-12;

Tensor of_class(const Tensor& values, const Tensor& classes) {
  return values.gather(1, classes.unsqueeze(1)).squeeze(1);
}

Tensor margin(const Tensor& logits, const Tensor& labels) {
  const Tensor others =
      logits.scatter(1, labels.unsqueeze(1), -std::numeric_limits<double>::infinity()).amax(1);
  return others - of_class(logits, labels);
}

void require_classes(const Tensor& logits, std::int64_t count, const char* loss) {
  if (logits.size(1) >= count) return;
  throw ParamError(std::string("the loss ") + loss + " needs at least " + std::to_string(count) +
                   " classes, the model has " + std::to_string(logits.size(1)) +
                   "; use the loss margin");
}

// Nearest point to x + t within the L1 ball of radius epsilon and the box, as a step from x: every
// |t_i| is lowered by the same amount (never below zero) and cut at the room up to the border of
// the box; the amount is the one for which the sum is epsilon. The sum is piecewise linear in it:
// it falls with the number of entries between "cut at the border" and "zero".
Tensor l1_step(const Tensor& step,
               const Tensor& room_below,
               const Tensor& room_above,
               double epsilon) {
  if (epsilon <= 0) return at::zeros_like(step);
  const Tensor t = step.flatten(1).to(at::kDouble);
  const Tensor size = t.abs();
  const Tensor room = at::where(
      t > 0, room_above.flatten(1).to(at::kDouble), room_below.flatten(1).to(at::kDouble));
  const Tensor full = at::minimum(size, room).sum(1, /*keepdim=*/true);
  // Where an entry starts to fall, and where it is zero.
  const Tensor knots = at::cat({(size - room).clamp_min(0), size}, 1);
  const auto [sorted, order] = knots.sort(1);
  const Tensor change = at::cat({at::ones_like(size), -at::ones_like(size)}, 1).gather(1, order);
  const Tensor slope = change.cumsum(1);  // entries falling right of each knot
  const Tensor gaps =
      sorted.narrow(1, 1, sorted.size(1) - 1) - sorted.narrow(1, 0, sorted.size(1) - 1);
  const Tensor fallen =
      at::cat({at::zeros_like(full), (gaps * slope.narrow(1, 0, slope.size(1) - 1)).cumsum(1)}, 1);
  const Tensor needed = (full - epsilon).clamp_min(0);
  // The last knot up to which too little has fallen; the rest falls linearly behind it.
  const Tensor knot = (fallen.le(needed).to(at::kLong).sum(1, /*keepdim=*/true) - 1).clamp_min(0);
  const Tensor rest = needed - fallen.gather(1, knot);
  const Tensor lowered = sorted.gather(1, knot) + rest / slope.gather(1, knot).clamp_min(1);
  // The knots start at the smallest one, which is above zero when all entries are cut.
  const Tensor amount = at::where(needed > 0, lowered, at::zeros_like(lowered));
  const Tensor result = at::minimum((size - amount).clamp_min(0), room) * t.sign();
  return result.to(step.scalar_type()).view_as(step);
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
  return loss_and_gradient(x, y, Tensor(), loss, rows);
}

LossGradient Target::loss_and_gradient(
    const Tensor& x, const Tensor& y, const Tensor& targets, Loss loss, const Tensor& rows) {
  TORCH_CHECK(
      y.dim() == 1 && y.size(0) == x.size(0), "labels must be [", x.size(0), "], got ", y.sizes());
  return loss_and_gradient(
      x, [&](const Tensor& logits) { return per_sample_loss(logits, y, targets, loss); }, rows);
}

LossGradient Target::loss_and_gradient(const Tensor& x,
                                       const LossFunction& loss,
                                       const Tensor& rows) {
  check_rows(x, rows);
  return do_loss_and_gradient(x, loss, rows);
}

bool is_targeted(Loss loss) {
  return loss == Loss::kTargetedCrossEntropy || loss == Loss::kTargetedMargin ||
         loss == Loss::kTargetedDlr;
}

Tensor per_sample_loss(const Tensor& logits, const Tensor& labels, Loss loss) {
  return per_sample_loss(logits, labels, Tensor(), loss);
}

Tensor per_sample_loss(const Tensor& logits,
                       const Tensor& labels,
                       const Tensor& targets,
                       Loss loss) {
  if (is_targeted(loss) && !targets.defined()) {
    throw ParamError("a targeted loss was asked for without target classes");
  }
  switch (loss) {
    case Loss::kCrossEntropy: return -of_class(at::log_softmax(logits, 1), labels);
    case Loss::kMargin: return margin(logits, labels);
    case Loss::kDlr: {
      require_classes(logits, 3, "dlr");
      const Tensor top = std::get<0>(logits.topk(3, 1));
      return margin(logits, labels) / (top.select(1, 0) - top.select(1, 2) + kDlrOffset);
    }
    case Loss::kTargetedCrossEntropy: return of_class(at::log_softmax(logits, 1), targets);
    case Loss::kTargetedMargin: return of_class(logits, targets) - of_class(logits, labels);
    case Loss::kTargetedDlr: {
      require_classes(logits, 4, "targeted dlr");
      const Tensor top = std::get<0>(logits.topk(4, 1));
      const Tensor spread = top.select(1, 0) - (top.select(1, 2) + top.select(1, 3)) / 2;
      return (of_class(logits, targets) - of_class(logits, labels)) / (spread + kDlrOffset);
    }
  }
  throw InternalError("a loss that does not exist");
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
  if (threat.norm == Norm::kL1) {
    const Tensor inside = l1_step(d, x - threat.lower, threat.upper - x, epsilon);
    return rounded_inwards(x + inside, x, inside).clamp(threat.lower, threat.upper);
  }
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
