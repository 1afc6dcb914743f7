// explicit midpoint rule, order 2, 2 evaluations a step: source [HNW93] II.1, table 1.1.

#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

Tableau tableau() {
  return {.order = 2, .a = {{1.0 / 2}}, .b = {0.0, 1.0}, .c = {1.0 / 2}};
}

class Midpoint final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0",
            "explicit midpoint rule, order 2, 2 evaluations a step",
            "[HNW93] II.1, table 1.1",
            {},
            {}};
  }
  explicit Midpoint(const Params&) : RungeKutta(tableau()) {}
};

}  // namespace

UNMASK_PLUGIN(Midpoint)
