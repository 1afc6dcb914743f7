// Bogacki-Shampine 3(2), adaptive, 3 evaluations an attempt: source [BS89].

#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

// The last row of a equals b: the last stage is the first of the next step.
Tableau tableau() {
  return {.order = 3,
          .controller_order = 3,
          .a = {{1.0 / 2}, {0.0, 3.0 / 4}, {2.0 / 9, 1.0 / 3, 4.0 / 9}},
          .b = {2.0 / 9, 1.0 / 3, 4.0 / 9, 0.0},
          .c = {1.0 / 2, 3.0 / 4, 1.0},
          .error = {-5.0 / 72, 1.0 / 12, 1.0 / 9, -1.0 / 8},
          .mid = {0.0, 1.0 / 2, 0.0, 0.0}};
}

class Bosh3 final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0",
            "Bogacki-Shampine 3(2), adaptive, 3 evaluations an attempt",
            "[BS89]",
            {},
            {"adaptive"}};
  }
  explicit Bosh3(const Params&) : RungeKutta(tableau()) {}
};

}  // namespace

UNMASK_PLUGIN(Bosh3)
