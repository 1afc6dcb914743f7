// The classical method of Kutta, order 4, 4 evaluations a step: source [HNW93] II.1, table 1.2.

#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

Tableau tableau() {
  return {.order = 4,
          .a = {{1.0 / 2}, {0.0, 1.0 / 2}, {0.0, 0.0, 1.0}},
          .b = {1.0 / 6, 2.0 / 6, 2.0 / 6, 1.0 / 6},
          .c = {1.0 / 2, 1.0 / 2, 1.0}};
}

class Rk4Classic final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0",
            "the classical Runge-Kutta method, order 4, 4 evaluations a step",
            "[HNW93] II.1, table 1.2",
            {},
            {}};
  }
  explicit Rk4Classic(const Params&) : RungeKutta(tableau()) {}
};

}  // namespace

UNMASK_PLUGIN(Rk4Classic)
