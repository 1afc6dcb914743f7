// Fehlberg's method 2(1), adaptive: source [Fehlberg69].

#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

// The last stage is f at the embedded solution of order 1, not at the end of the step.
Tableau tableau() {
  return {.order = 2,
          .controller_order = 2,
          .a = {{1.0 / 2}, {1.0 / 256, 255.0 / 256}},
          .b = {1.0 / 512, 255.0 / 256, 1.0 / 512},
          .c = {1.0 / 2, 1.0},
          .error = {-1.0 / 512, 0.0, 1.0 / 512},
          .mid = {0.0, 1.0 / 2, 0.0}};
}

class Fehlberg2 final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0",
            "Fehlberg 2(1), adaptive, 3 evaluations an attempt",
            "[Fehlberg69]",
            {},
            {"adaptive"}};
  }
  explicit Fehlberg2(const Params&) : RungeKutta(tableau()) {}
};

}  // namespace

UNMASK_PLUGIN(Fehlberg2)
