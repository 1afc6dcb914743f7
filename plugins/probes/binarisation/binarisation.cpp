// The binarisation test: an attack on a read-out for which an adversarial example exists. See
// binarisation.md.

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "unmask/kit/attack/directions.hpp"
#include "unmask/kit/probe/ball_size.hpp"
#include "unmask/kit/probe/compare.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

// Inner points lie within this share of the ball.
constexpr double kInside = 0.95;
// Where the read-out changes its answer, from the best inner point (0) to the boundary point (1).
constexpr double kThreshold = 0.999;
// Of the mean variance of a logit, added to every variance: what rounding alone moves separates
// nothing.
constexpr double kRidge = 1e-6;
// Two scores are apart when they differ by more than this share of the boundary point's.
constexpr double kApart = 1e-6;

// One linear read-out (z - mean) . weight of the logits per image, for two classes.
struct ReadOut {
  Tensor mean;       // float64 [B, K]
  Tensor weight;     // float64 [B, K]
  Tensor threshold;  // float64 [B]: scores above it belong to the boundary point's class
  Tensor scale;      // float64 [B]: brings the score of the image to the size of its margin
  Tensor separates;  // bool [B]

  /// float64 [B]; positive: the boundary point's class.
  Tensor score(const Tensor& logits) const {
    return ((logits.to(at::kDouble) - mean) * weight).sum(1) - threshold;
  }
};

class Binarisation final : public Probe {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "an attack on a read-out for which an adversarial example exists",
            .source = "Zimmermann, Brendel, Tramer, Carlini 2022, arXiv 2206.13991",
            .params = {kit::ball_epsilon(),
                       integer("inner", "random points inside the ball, of the first class")
                           .by_default(200)
                           .at_least(10),
                       integer("candidates",
                               "corners of the ball among which the point of the second class is "
                               "chosen")
                           .by_default(10)
                           .at_least(1),
                       integer("steps", "gradient steps of the attack").by_default(20).at_least(1),
                       integer("random", "random corners that the attack is compared with")
                           .by_default(200)
                           .at_least(1),
                       choice("loss", {"ce", "margin"}, "loss of the attack on the read-out")
                           .by_default("ce")},
            .capabilities = {}};
  }

  explicit Binarisation(const Params& params)
      : epsilon_(kit::radius_of(params, Norm::kLinf)),
        inner_(params.get_integer("inner")),
        candidates_(params.get_integer("candidates")),
        steps_(params.get_integer("steps")),
        random_(params.get_integer("random")),
        is_margin_(params.get_text("loss") == "margin") {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext& context) override {
    const ReadOut read_out = fit(target, x, y, context);
    const auto as_value = [&](const Tensor& fooled) {
      return kit::as_numbers(fooled).masked_fill(read_out.separates.logical_not(),
                                                 kit::kNotDefined);
    };
    const Tensor by_attack = attack(target, x, read_out);
    return {{"binarised_fooled", as_value(by_attack)},
            {"binarised_random_fooled", as_value(sample(target, x, read_out, context))},
            {"binarised_separable", kit::as_numbers(read_out.separates)}};
  }

 private:
  Tensor corner(const Tensor& x, SampleRandom random) const {
    return (x + epsilon_ * random.signs(x)).clamp(0, 1);
  }

  static SampleRandom draw(const ProbeContext& context, const char* purpose, std::int64_t number) {
    return context.random.stream(purpose, static_cast<std::uint64_t>(number));
  }

  // The direction that separates best a corner from the inner points: their covariance's inverse
  // times the difference [Fisher's discriminant], for the corner that it puts farthest out.
  ReadOut fit(Target& target, const Tensor& x, const Tensor& y, const ProbeContext& context) const {
    const Tensor clean = target.logits(x).to(at::kDouble);
    std::vector<Tensor> inside = {clean};
    for (std::int64_t i = 0; i < inner_; ++i) {
      const double reach = kInside * epsilon_;
      const Tensor noise = draw(context, "inner", i).uniform(x, -reach, reach);
      inside.push_back(target.logits((x + noise).clamp(0, 1)).to(at::kDouble));
    }
    std::vector<Tensor> outside;
    for (std::int64_t i = 0; i < candidates_; ++i) {
      outside.push_back(target.logits(corner(x, draw(context, "candidate", i))).to(at::kDouble));
    }
    const Tensor inner = at::stack(inside, 1);  // [B, N, K]
    ReadOut result;
    result.mean = inner.mean(1);
    const Tensor centered = inner - result.mean.unsqueeze(1);
    const Tensor far = at::stack(outside, 1) - result.mean.unsqueeze(1);  // [B, C, K]
    const Tensor weights = discriminants(centered, far);
    const Tensor best = (weights * far).sum(2).argmax(1).view({-1, 1, 1});
    const auto chosen = [&best](const Tensor& of_candidates) {
      return of_candidates.gather(1, best.expand({-1, 1, of_candidates.size(2)})).squeeze(1);
    };
    result.weight = chosen(weights);
    const Tensor boundary = (chosen(far) * result.weight).sum(1);
    const Tensor highest = (centered * result.weight.unsqueeze(1)).sum(2).amax(1);
    result.separates = (boundary - highest).gt(kApart * boundary.abs());
    result.threshold = highest + kThreshold * (boundary - highest);
    // As far from the threshold as the image is from its decision boundary.
    const Tensor margin = per_sample_loss(clean, y, Loss::kMargin).abs();
    const Tensor gap = result.score(clean).abs();
    result.scale = at::where(gap > 0, margin / gap, at::ones_like(gap));
    return result;
  }

  // float64 [B, C, K]
  static Tensor discriminants(const Tensor& centered, const Tensor& far) {
    const Tensor points = centered.to(at::kCPU);
    const auto classes = points.size(2);
    const Tensor covariance =
        points.transpose(1, 2).matmul(points) / static_cast<double>(points.size(1) - 1);
    const Tensor variance = covariance.diagonal(0, 1, 2).mean(1);
    // Logits that never change have no direction; the difference itself stands for it.
    const Tensor ridge = at::where(variance > 0, kRidge * variance, at::ones_like(variance));
    const Tensor unit = at::eye(classes, points.options());
    const Tensor inverse_of = covariance + ridge.view({-1, 1, 1}) * unit;
    return at::linalg_solve(inverse_of, far.to(at::kCPU).transpose(1, 2))
        .transpose(1, 2)
        .to(far.device())
        .contiguous();
  }

  // bool [B]: whether a visited point is of the second class.
  Tensor attack(Target& target, const Tensor& x, const ReadOut& read_out) const {
    const Threat threat{Norm::kLinf, epsilon_, 0, 1};
    const double length = 2.5 * epsilon_ / static_cast<double>(steps_);
    const LossFunction loss = [&](const Tensor& logits) {
      const Tensor score = read_out.scale * read_out.score(logits);
      // Cross-entropy of two classes with logits 0 and `score`, label 0.
      return is_margin_ ? score : at::softplus(score);
    };
    Tensor point = x;
    Tensor fooled = at::zeros_like(read_out.separates);
    for (std::int64_t i = 0; i < steps_; ++i) {
      const LossGradient here = target.loss_and_gradient(point, loss);
      fooled = fooled.logical_or(read_out.score(here.logits) > 0);
      point =
          project(point + length * kit::ascent_direction(here.gradient, threat.norm), x, threat);
    }
    return fooled.logical_or(read_out.score(target.logits(point)) > 0);
  }

  Tensor sample(Target& target,
                const Tensor& x,
                const ReadOut& read_out,
                const ProbeContext& context) const {
    Tensor fooled = at::zeros_like(read_out.separates);
    for (std::int64_t i = 0; i < random_; ++i) {
      const Tensor logits = target.logits(corner(x, draw(context, "random", i)));
      fooled = fooled.logical_or(read_out.score(logits) > 0);
    }
    return fooled;
  }

  double epsilon_;
  std::int64_t inner_;
  std::int64_t candidates_;
  std::int64_t steps_;
  std::int64_t random_;
  bool is_margin_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Binarisation)
