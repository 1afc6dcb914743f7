// The identity: what is left of accuracy when nobody attacks.

#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class None final : public Attack {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "no attack: clean accuracy",
            .source = "definition",
            .params = {},
            .capabilities = {"gradient_free"}};
  }

  explicit None(const Params&) {}

  Norm norm() const override { return Norm::kLinf; }

  Tensor perturb(Target&, const Tensor& x, const Tensor&, const Threat&, AttackContext&) override {
    return x.clone();
  }
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::None)
