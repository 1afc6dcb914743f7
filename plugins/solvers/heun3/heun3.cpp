// Heun's method of order 3, 3 evaluations a step: source [Heun1900].

#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

Tableau tableau() {
  return {.order = 3,
          .a = {{1.0 / 3}, {0.0, 2.0 / 3}},
          .b = {1.0 / 4, 0.0, 3.0 / 4},
          .c = {1.0 / 3, 2.0 / 3}};
}

class Heun3 final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0", "Heun's method of order 3, 3 evaluations a step", "[Heun1900]", {}, {}};
  }
  explicit Heun3(const Params&) : RungeKutta(tableau()) {}
};

}  // namespace

UNMASK_PLUGIN(Heun3)
