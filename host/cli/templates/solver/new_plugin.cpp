// Explicit Runge-Kutta methods of order 2 with two stages, the second at the node c:
//   0 |
//   c | c
//     | 1 - 1/(2c)   1/(2c)
#include "unmask/plugin.hpp"

namespace {

class NewPlugin final : public unmask::RungeKutta {
 public:
  static unmask::PluginInfo info() {
    return {.version = "1.0",
            .summary = "two stages, order 2, fixed steps",
            .source = "replace me: paper, book, equation",
            .params = {unmask::real("node", "where in the step the second stage stands")
                           .by_default(2.0 / 3)
                           .above(0)
                           .at_most(1)}};
  }

  explicit NewPlugin(const unmask::Params& params) : RungeKutta(tableau(params.get_real("node"))) {}

 private:
  static unmask::Tableau tableau(double c) {
    return {.order = 2, .a = {{c}}, .b = {1 - 1 / (2 * c), 1 / (2 * c)}, .c = {c}};
  }
};

}  // namespace

UNMASK_PLUGIN(NewPlugin)
