// An attack that does not come through its constructor, in the way that its parameter says.

#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Unborn final : public Attack {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "cannot be constructed",
            .source = "a test",
            .params = {choice("how",
                              {"refuse", "undeclared", "throw", "crash", "exit"},
                              "what the constructor does")},
            .capabilities = {}};
  }
  explicit Unborn(const Params& params) {
    const std::string how = params.get_text("how");
    if (how == "refuse") throw ParamError("parameter \"how\" = \"refuse\": does not suit me");
    if (how == "undeclared") params.get_integer("surprise");
    if (how == "throw") throw std::runtime_error("no such luck");
    if (how == "crash") std::raise(SIGSEGV);
    if (how == "exit") std::exit(0);
  }
  Norm norm() const override { return Norm::kLinf; }
  Tensor perturb(Target&, const Tensor& x, const Tensor&, const Threat&, AttackContext&) override {
    return x;
  }
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Unborn)
