// An image's gradient in its batch against alone, and what the others' losses add to it. See
// batch_gradient.md.

#include <algorithm>

#include <torch/types.h>

#include "unmask/kit/probe/alone.hpp"
#include "unmask/kit/probe/compare.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

// Rows whose own losses are differentiated in one pass; every one takes two gradients of a batch.
constexpr std::int64_t kRowsAtOnce = 4;

class BatchGradient final : public Probe {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "an image's gradient in its batch against alone, and the leak ratio",
            .source = "own; specified in batch_gradient.md",
            .params = {integer("leak_samples",
                               "first samples of every batch whose leak ratio is measured; each "
                               "costs two backward passes of the batch")
                           .by_default(10)
                           .at_least(0)},
            .capabilities = {}};
  }

  explicit BatchGradient(const Params& params)
      : leak_samples_(params.get_integer("leak_samples")) {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext&) override {
    const Tensor together = target.loss_and_gradient(x, losses_of(y)).gradient;
    const Tensor alone = kit::gradients_alone(target, x, y, losses()).gradient;
    const std::int64_t count = std::min(leak_samples_, x.size(0));
    const Tensor own = own_parts(target, x, y, count);
    std::vector<ProbeValue> values;
    for (std::int64_t m = 0; m < 2; ++m) {
      const std::string suffix = m == 0 ? "" : "_margin";
      const Tensor in_batch = kit::rows_of_numbers(together.select(0, m));
      const Tensor by_itself = kit::rows_of_numbers(alone.select(0, m));
      Tensor leak = at::full({x.size(0)}, kit::kNotDefined, in_batch.options());
      if (count > 0) {
        const Tensor part = own.select(0, m);
        const Tensor others = in_batch.narrow(0, 0, count) - part;
        leak.narrow(0, 0, count).copy_(kit::length_ratios(others, part));
      }
      values.push_back({"batch_cosine" + suffix, kit::cosines(in_batch, by_itself)});
      values.push_back(
          {"batch_sign_agreement" + suffix, kit::sign_agreements(in_batch, by_itself)});
      values.push_back({"leak_ratio" + suffix, leak});
    }
    return values;
  }

 private:
  static std::vector<Loss> losses() { return {Loss::kCrossEntropy, Loss::kMargin}; }
  static LossFunction losses_of(const Tensor& y) { return kit::losses_of(y, losses()); }

  // d(own loss)/d(own image) within the batch for the first `count` rows: float64 [2, count, D].
  static Tensor own_parts(Target& target, const Tensor& x, const Tensor& y, std::int64_t count) {
    std::vector<Tensor> parts;
    for (std::int64_t first = 0; first < count; first += kRowsAtOnce) {
      const std::int64_t last = std::min(count, first + kRowsAtOnce);
      const auto single = [&](const Tensor& logits) {
        const Tensor all = losses_of(y)(logits);
        const Tensor rows = at::arange(all.size(0), y.options().dtype(at::kLong)).unsqueeze(1);
        std::vector<Tensor> columns;
        for (std::int64_t i = first; i < last; ++i) {
          columns.push_back(at::where(rows.eq(i), all, at::zeros_like(all)));
        }
        return at::cat(columns, 1);
      };
      const Tensor gradient = target.loss_and_gradient(x, single).gradient;
      for (std::int64_t i = first; i < last; ++i) {
        const Tensor both = gradient.narrow(0, 2 * (i - first), 2).select(1, i);
        parts.push_back(kit::rows_of_numbers(both));
      }
    }
    return parts.empty() ? Tensor() : at::stack(parts, 1);
  }

  std::int64_t leak_samples_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::BatchGradient)
