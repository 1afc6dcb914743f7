// How sure the network is of its answer, right or wrong.
#include <torch/types.h>

#include "unmask/plugin.hpp"

class Confidence final : public unmask::Probe {
 public:
  static unmask::PluginInfo info() {
    return {.version = "1.0",
            .summary = "probability of the predicted class",
            .source = "example of the plugin author guide",
            .params = {},
            .capabilities = {}};
  }

  explicit Confidence(const unmask::Params&) {}

  std::vector<unmask::ProbeValue> measure(unmask::Target& target,
                                          const unmask::Tensor& x,
                                          const unmask::Tensor&,
                                          unmask::ProbeContext&) override {
    return {{"confidence", target.logits(x).softmax(1).amax(1)}};
  }
};

UNMASK_PLUGIN(Confidence)
