// Kutta's 3/8 rule, order 4, 4 evaluations a step: source [HNW93] II.1, table 1.2.

#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

// The 3/8 rule, not the classical method: it is what "rk4" means in torchdiffeq.
Tableau tableau() {
  return {.order = 4,
          .a = {{1.0 / 3}, {-1.0 / 3, 1.0}, {1.0, -1.0, 1.0}},
          .b = {1.0 / 8, 3.0 / 8, 3.0 / 8, 1.0 / 8},
          .c = {1.0 / 3, 2.0 / 3, 1.0}};
}

class Rk4 final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0",
            "Kutta's 3/8 rule, order 4, 4 evaluations a step",
            "[HNW93] II.1, table 1.2",
            {},
            {}};
  }
  explicit Rk4(const Params&) : RungeKutta(tableau()) {}
};

}  // namespace

UNMASK_PLUGIN(Rk4)
