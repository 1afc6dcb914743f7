// Agreement of the gradient with one that is estimated from answers alone. See spsa_agreement.md.

#include <cmath>

#include <torch/types.h>

#include "unmask/kit/attack/spsa_estimator.hpp"
#include "unmask/kit/probe/alone.hpp"
#include "unmask/kit/probe/compare.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class SpsaAgreement final : public Probe {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "cosine of the gradient with an average of simultaneous perturbations",
            .source = "Spall 1992; Uesato, O'Donoghue, van den Oord, Kohli 2018, arXiv 1802.05666",
            .params =
                {integer("pairs", "pairs of answers that are averaged").by_default(64).at_least(1),
                 real("delta", "half the distance between the points of a pair, per pixel")
                     .by_default(0.01)
                     .above(0)
                     .below(0.5)
                     .unit("pixel range")},
            .capabilities = {}};
  }

  explicit SpsaAgreement(const Params& params)
      : pairs_(params.get_integer("pairs")), delta_(params.get_real("delta")) {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext& context) override {
    // As far inside the box as the pairs reach.
    const Tensor center = x.clamp(delta_, 1 - delta_);
    const Tensor gradients =
        target.loss_and_gradient(center, kit::losses_of(y, {Loss::kMargin, Loss::kCrossEntropy}))
            .gradient;
    const Tensor estimate = kit::rows_of_numbers(kit::spsa_gradient(
        [&](const Tensor& points) { return kit::own_losses(target, points, y, Loss::kMargin); },
        [&](std::int64_t pair) {
          return context.random.stream("pair", static_cast<std::uint64_t>(pair)).signs(center);
        },
        center,
        delta_,
        pairs_,
        0,
        1));
    const auto pairs = static_cast<double>(pairs_);
    const double expected = std::sqrt(pairs / (pairs + static_cast<double>(estimate.size(1)) - 1));
    const auto cosine = [&](std::int64_t loss) {
      return kit::cosines(kit::rows_of_numbers(gradients.select(0, loss)), estimate);
    };
    return {{"spsa_cosine", cosine(0)},
            {"spsa_cosine_cross_entropy", cosine(1)},
            {"spsa_expected", at::full({x.size(0)}, expected, estimate.options())}};
  }

 private:
  std::int64_t pairs_;
  double delta_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::SpsaAgreement)
