// Agreement of the gradient with central differences over a sweep of steps. See
// finite_differences.md.

#include <algorithm>
#include <array>
#include <string>

#include <torch/types.h>

#include "unmask/kit/attack/names.hpp"
#include "unmask/kit/probe/alone.hpp"
#include "unmask/kit/probe/ball_size.hpp"
#include "unmask/kit/probe/compare.hpp"
#include "unmask/kit/probe/rounding.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

struct Step {
  const char* name;
  double share;  // of epsilon
};
constexpr std::array<Step, 3> kSteps = {{{"tiny", 1e-3}, {"small", 1e-2}, {"large", 1e-1}}};

class FiniteDifferences final : public Probe {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "agreement of the gradient with central differences over a sweep of steps",
        .source = "own; specified in finite_differences.md",
        .params =
            {kit::ball_norm(),
             kit::ball_epsilon(),
             integer("directions", "random directions of each step").by_default(10).at_least(2),
             choice("loss", {"margin", "ce"}, "loss that is differentiated").by_default("margin"),
             integer("curves",
                     "first samples of every batch whose agreement is recorded over the "
                     "step")
                 .by_default(4)
                 .at_least(0)},
        .capabilities = {}};
  }

  explicit FiniteDifferences(const Params& params)
      : ball_(params),
        directions_(params.get_integer("directions")),
        loss_(kit::loss_of(params.get_text("loss"))),
        curves_(params.get_integer("curves")) {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext& context) override {
    const Tensor center = ball_.inside_box(x, kSteps.back().share);
    const LossGradient here = kit::own_gradients(target, center, y, loss_);
    const Tensor gradient = kit::rows_of_numbers(here.gradient);
    const Tensor noise = kit::loss_rounding(here.logits);
    std::vector<ProbeValue> values;
    std::vector<Tensor> sweep;
    Tensor slope;
    for (const Step& step : kSteps) {
      const auto [measured, predicted] = differences(target, center, y, gradient, step, context);
      // Below the rounding of the loss neither says anything.
      const Tensor size = at::maximum(mean_size(measured), mean_size(predicted));
      const Tensor lost = size.le(kit::kAboveRounding * noise);
      const Tensor cosine = kit::cosines(measured, predicted).masked_fill(lost, kit::kNotDefined);
      values.push_back({std::string("fd_cosine_") + step.name, cosine});
      sweep.push_back(cosine);
      if (std::string(step.name) == "small") {
        const Tensor ratio = (measured * predicted).sum(1) / predicted.square().sum(1);
        slope = ratio.masked_fill(lost, kit::kNotDefined);
      }
    }
    values.push_back({"fd_ratio_small", slope});
    values.push_back({"gradient_zero", kit::as_numbers(kit::has_entries(gradient).logical_not())});
    const Tensor curves = at::stack(sweep, 1);
    for (std::int64_t i = 0; i < std::min(curves_, x.size(0)); ++i) {
      context.series.push_back({"fd_agreement", curves.select(0, i), i});
    }
    return values;
  }

 private:
  struct Differences {
    Tensor measured;   // [B, directions], L(x + h v) - L(x - h v)
    Tensor predicted;  // the same of the linear function with this gradient
  };

  Differences differences(Target& target,
                          const Tensor& center,
                          const Tensor& y,
                          const Tensor& gradient,
                          const Step& step,
                          const ProbeContext& context) const {
    std::vector<Tensor> measured;
    std::vector<Tensor> predicted;
    for (std::int64_t i = 0; i < directions_; ++i) {
      // The same directions for every step.
      SampleRandom random = context.random.stream("direction", static_cast<std::uint64_t>(i));
      const Tensor move = random.signs(center) * ball_.pixel_step(center, step.share);
      const Tensor above = (center + move).clamp(0, 1);
      const Tensor below = (center - move).clamp(0, 1);
      measured.push_back(kit::own_losses(target, above, y, loss_) -
                         kit::own_losses(target, below, y, loss_));
      // Over the distance that rounding has left, not the one that was meant.
      const Tensor moved = kit::rows_of_numbers(above) - kit::rows_of_numbers(below);
      predicted.push_back((gradient * moved).sum(1));
    }
    return {at::stack(measured, 1), at::stack(predicted, 1)};
  }

  static Tensor mean_size(const Tensor& rows) { return rows.square().mean(1).sqrt(); }

  kit::BallSize ball_;
  std::int64_t directions_;
  Loss loss_;
  std::int64_t curves_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::FiniteDifferences)
