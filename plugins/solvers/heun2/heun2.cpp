// Heun's method (explicit trapezoidal rule), order 2, 2 evaluations a step: source [Heun1900].

#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

Tableau tableau() {
  return {.order = 2, .a = {{1.0}}, .b = {1.0 / 2, 1.0 / 2}, .c = {1.0}};
}

class Heun2 final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0",
            "Heun's method (explicit trapezoidal rule), order 2, 2 evaluations a step",
            "[Heun1900]",
            {},
            {}};
  }
  explicit Heun2(const Params&) : RungeKutta(tableau()) {}
};

}  // namespace

UNMASK_PLUGIN(Heun2)
