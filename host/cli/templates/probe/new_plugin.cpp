// How sure the network is of its answer, right or wrong.
#include <vector>

#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace {

class NewPlugin final : public unmask::Probe {
 public:
  static unmask::PluginInfo info() {
    return {.version = "1.0",
            .summary = "probability of the predicted class",
            .source = "replace me: paper, book, equation",
            .params =
                {unmask::real("temperature", "logits are divided by it").by_default(1.0).above(0)},
            .capabilities = {}};
  }

  explicit NewPlugin(const unmask::Params& params) : temperature_(params.get_real("temperature")) {}

  std::vector<unmask::ProbeValue> measure(unmask::Target& target,
                                          const unmask::Tensor& x,
                                          const unmask::Tensor&,
                                          unmask::ProbeContext&) override {
    return {{"certainty", (target.logits(x) / temperature_).softmax(1).amax(1)}};
  }

 private:
  double temperature_;
};

}  // namespace

UNMASK_PLUGIN(NewPlugin)
