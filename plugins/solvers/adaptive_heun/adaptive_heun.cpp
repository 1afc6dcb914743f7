// Heun's method with Euler's as error estimate, adaptive: source [Heun1900].

#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

// The last stage is f at the Euler predictor, not at the end of the step. The weights of the middle
// are Euler's: of order 1, as in torchdiffeq, whose version 0.0.1 took 5 for the order in the
// controller.
Tableau tableau() {
  return {.order = 2,
          .controller_order = 2,
          .legacy_controller_order = 5,
          .a = {{1.0}},
          .b = {1.0 / 2, 1.0 / 2},
          .c = {1.0},
          .error = {1.0 / 2, -1.0 / 2},
          .mid = {1.0 / 2, 0.0}};
}

class AdaptiveHeun final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0",
            "Heun's method with Euler's as error estimate 2(1), adaptive, 2 evaluations an attempt",
            "[Heun1900]",
            {},
            {"adaptive"}};
  }
  explicit AdaptiveHeun(const Params&) : RungeKutta(tableau()) {}
};

}  // namespace

UNMASK_PLUGIN(AdaptiveHeun)
