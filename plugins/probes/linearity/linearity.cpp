// How far the loss is from its tangent within a ball, and a picture of it. See linearity.md.

#include <algorithm>
#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "unmask/kit/attack/directions.hpp"
#include "unmask/kit/attack/names.hpp"
#include "unmask/kit/probe/alone.hpp"
#include "unmask/kit/probe/ball_size.hpp"
#include "unmask/kit/probe/compare.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Linearity final : public Probe {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "largest distance of the loss from its tangent in a ball; loss landscapes",
        .source = "Qin et al. 2019, arXiv 1907.02610",
        .params =
            {kit::ball_norm(),
             kit::ball_epsilon(),
             integer("steps", "points that seek the largest distance").by_default(10).at_least(1),
             choice("loss", {"ce", "margin"}, "loss that is measured").by_default("ce"),
             integer("grid", "points of each side of a landscape; 0: none")
                 .by_default(11)
                 .at_least(0)
                 .at_most(100),
             integer("landscapes", "first samples of every batch with a landscape")
                 .by_default(2)
                 .at_least(0)
                 .at_most(100)},
        .capabilities = {}};
  }

  explicit Linearity(const Params& params)
      : ball_(params),
        steps_(params.get_integer("steps")),
        loss_(kit::loss_of(params.get_text("loss"))),
        grid_(params.get_integer("grid")),
        landscapes_(params.get_integer("landscapes")) {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext& context) override {
    const LossGradient here = kit::own_gradients(target, x, y, loss_);
    record_landscapes(target, x, y, here.gradient, context);
    return {{"llr_gamma", gamma(target, x, y, here, context)}};
  }

 private:
  // max over visited d of |L(x + d) - L(x) - d . g|, float64 [B].
  Tensor gamma(Target& target,
               const Tensor& x,
               const Tensor& y,
               const LossGradient& here,
               const ProbeContext& context) const {
    const Threat threat = ball_.threat();
    const Tensor loss = kit::exact_losses(here.logits, y, loss_);
    const Tensor tangent = kit::rows_of_numbers(here.gradient);
    const Tensor start = kit::rows_of_numbers(x);
    const double length = 2.5 * threat.epsilon / static_cast<double>(steps_);
    SampleRandom random = context.random.stream("start");
    Tensor point = project(x + kit::uniform_in_ball(x, {}, threat, random), x, threat);
    Tensor largest = at::zeros_like(loss);
    for (std::int64_t i = 1; i <= steps_; ++i) {
      LossGradient there;
      if (i < steps_) {
        there = kit::own_gradients(target, point, y, loss_);
      } else {
        there.logits = kit::own_logits(target, point, y);
      }
      const Tensor moved = kit::rows_of_numbers(point) - start;
      const Tensor gap =
          kit::exact_losses(there.logits, y, loss_) - loss - (moved * tangent).sum(1);
      largest = at::maximum(largest, gap.abs());
      if (i == steps_) break;
      const Tensor side = kit::per_row(gap.sign().to(x.scalar_type()), x);
      const Tensor ascent = side * (there.gradient - here.gradient);
      point = project(point + length * kit::ascent_direction(ascent, threat.norm), x, threat);
    }
    return largest;
  }

  // L on the plane through the image along the gradient's step and a random one, row by row.
  void record_landscapes(Target& target,
                         const Tensor& x,
                         const Tensor& y,
                         const Tensor& gradient,
                         ProbeContext& context) const {
    const std::int64_t count = std::min(landscapes_, x.size(0));
    if (count == 0 || grid_ == 0) return;
    const Tensor images = x.narrow(0, 0, count);
    const Tensor labels = y.narrow(0, 0, count);
    SampleRandom random = context.random.stream("plane");
    const Tensor along =
        kit::ascent_direction(gradient, ball_.norm()).narrow(0, 0, count) * ball_.epsilon();
    const Tensor across = random.signs(x).narrow(0, 0, count) * ball_.pixel_step(x, 1);
    const auto place = [&](std::int64_t k) {
      if (grid_ == 1) return 0.0;
      return 2.0 * static_cast<double>(k) / static_cast<double>(grid_ - 1) - 1.0;
    };
    std::vector<Tensor> losses;
    for (std::int64_t i = 0; i < grid_; ++i) {
      for (std::int64_t j = 0; j < grid_; ++j) {
        const Tensor points = (images + place(i) * along + place(j) * across).clamp(0, 1);
        losses.push_back(kit::own_losses(target, points, labels, loss_));
      }
    }
    const Tensor all = at::stack(losses, 1);
    for (std::int64_t row = 0; row < count; ++row) {
      context.series.push_back({"landscape", all.select(0, row), row});
    }
  }

  kit::BallSize ball_;
  std::int64_t steps_;
  Loss loss_;
  std::int64_t grid_;
  std::int64_t landscapes_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Linearity)
