// Euler's method, order 1, 1 evaluation a step: source [HNW93] II.1.

#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

Tableau tableau() {
  return {.order = 1, .a = {}, .b = {1.0}, .c = {}};
}

class Euler final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0", "Euler's method, order 1, 1 evaluation a step", "[HNW93] II.1", {}, {}};
  }
  explicit Euler(const Params&) : RungeKutta(tableau()) {}
};

}  // namespace

UNMASK_PLUGIN(Euler)
