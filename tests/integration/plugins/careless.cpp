// An attack that leaves the ball, crashes, or is as it should be.

#include <cstdlib>
#include <string>

#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace {

class Careless final : public unmask::Attack {
 public:
  static unmask::PluginInfo info() {
    return {.version = "1",
            .summary = "does what it is told",
            .source = "a test",
            .params = {unmask::choice("how", {"right", "far", "crash"}, "what it does")}};
  }
  explicit Careless(const unmask::Params& params) : how_(params.get_text("how")) {}

  unmask::Norm norm() const override { return unmask::Norm::kLinf; }

  unmask::Tensor perturb(unmask::Target&,
                         const unmask::Tensor& x,
                         const unmask::Tensor&,
                         const unmask::Threat& threat,
                         unmask::AttackContext&) override {
    if (how_ == "crash") std::abort();
    const unmask::Tensor point = x + (how_ == "far" ? 2 : 0.5) * threat.epsilon;
    return how_ == "far" ? point : unmask::project(point, x, threat);
  }

 private:
  std::string how_;
};

}  // namespace

UNMASK_PLUGIN(Careless)
