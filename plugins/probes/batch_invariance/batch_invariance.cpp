// Whether an image is answered alike in its batch and alone. See batch_invariance.md.

#include <torch/types.h>

#include "unmask/kit/probe/alone.hpp"
#include "unmask/kit/probe/compare.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class BatchInvariance final : public Probe {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "how an image's logits and label change between its batch and alone",
            .source = "own; specified in batch_invariance.md",
            .params = {},
            .capabilities = {}};
  }

  explicit BatchInvariance(const Params&) {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext&) override {
    const Tensor together = target.logits(x).to(at::kDouble);
    const Tensor alone = kit::logits_alone(target, x, y).to(at::kDouble);
    const Tensor spread = alone.amax(1) - alone.amin(1);
    return {{"logit_shift", (together - alone).abs().amax(1) / spread},
            {"label_flip", kit::as_numbers(together.argmax(1).ne(alone.argmax(1)))}};
  }
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::BatchInvariance)
