// Ralston's method: of all two-stage methods of order 2 the one with the smallest error bound.
//   0   |
//   2/3 | 2/3
//       | 1/4  3/4
#include "unmask/plugin.hpp"

class Ralston final : public unmask::RungeKutta {
 public:
  static unmask::PluginInfo info() {
    return {.version = "1.0", .summary = "Ralston's method, order 2", .source = "Ralston 1962"};
  }
  explicit Ralston(const unmask::Params&)
      : RungeKutta({.order = 2, .a = {{2.0 / 3}}, .b = {1.0 / 4, 3.0 / 4}, .c = {2.0 / 3}}) {}
};

UNMASK_PLUGIN(Ralston)
