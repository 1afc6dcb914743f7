// What the network answers: every logit of every sample.

#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Logits final : public Probe {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "every logit of every sample",
            .source = "own; specified in logits.md",
            .params = {},
            .capabilities = {}};
  }

  explicit Logits(const Params&) {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor&,
                                  ProbeContext&) override {
    const Tensor logits = target.logits(x);
    std::vector<ProbeValue> values;
    for (std::int64_t k = 0; k < logits.size(1); ++k) {
      values.push_back({"logit_" + std::to_string(k), logits.select(1, k)});
    }
    return values;
  }
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Logits)
