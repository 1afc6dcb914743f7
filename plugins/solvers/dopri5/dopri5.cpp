// Dormand-Prince 5(4), adaptive, 6 evaluations an attempt: source [DP80]; error weights and
// midpoint [Shampine86].

#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

// The embedded solution is the variant of Shampine, whose weights torchdiffeq, torchode and diffrax
// use, not the published one: error ratios, hence steps, differ from textbook implementations.
constexpr double kEmbedded[] = {
    1951.0 / 21600, 0.0, 22642.0 / 50085, 451.0 / 720, -12231.0 / 42400, 649.0 / 6300, 1.0 / 60};

Tableau tableau() {
  Tableau t{.order = 5,
            .controller_order = 5,
            .a = {{1.0 / 5},
                  {3.0 / 40, 9.0 / 40},
                  {44.0 / 45, -56.0 / 15, 32.0 / 9},
                  {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
                  {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
                  {35.0 / 384, 0.0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}},
            .b = {35.0 / 384, 0.0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84, 0.0},
            .c = {1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1.0, 1.0},
            .error = {},
            .mid = {6025192743.0 / 30085553152.0 / 2,
                    0.0,
                    51252292925.0 / 65400821598.0 / 2,
                    -2691868925.0 / 45128329728.0 / 2,
                    187940372067.0 / 1594534317056.0 / 2,
                    -1776094331.0 / 19743644256.0 / 2,
                    11237099.0 / 235043384.0 / 2}};
  for (std::size_t i = 0; i < t.b.size(); ++i) t.error.push_back(t.b[i] - kEmbedded[i]);
  return t;
}

class Dopri5 final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0",
            "Dormand-Prince 5(4), adaptive, 6 evaluations an attempt",
            "[DP80]; error weights and midpoint [Shampine86]",
            {},
            {"adaptive"}};
  }
  explicit Dopri5(const Params&) : RungeKutta(tableau()) {}
};

}  // namespace

UNMASK_PLUGIN(Dopri5)
