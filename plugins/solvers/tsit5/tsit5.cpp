// Tsitouras 5(4), adaptive, 6 evaluations an attempt: source [Tsitouras11].

#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

// The published table, whose numbers fulfil the conditions of order 5 to 1e-14. The solution of
// order 5 is propagated and is the last row of a: the last stage is the first of the next step.
// The middle is the published interpolant of order 4 at one half.
Tableau tableau() {
  return {.order = 5,
          .controller_order = 5,
          .a = {{0.161},
                {-0.008480655492356989, 0.335480655492357},
                {2.8971530571054935, -6.359448489975075, 4.3622954328695815},
                {5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525},
                {5.86145544294642,
                 -12.92096931784711,
                 8.159367898576159,
                 -0.071584973281401,
                 -0.028269050394068383},
                {0.09646076681806523,
                 0.01,
                 0.4798896504144996,
                 1.379008574103742,
                 -3.290069515436081,
                 2.324710524099774}},
          .b = {0.09646076681806523,
                0.01,
                0.4798896504144996,
                1.379008574103742,
                -3.290069515436081,
                2.324710524099774,
                0.0},
          .c = {0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0},
          .error = {-0.001780011052226,
                    -0.000816434459657,
                    0.007880878010262,
                    -0.1447110071732629,
                    0.5823571654525552,
                    -0.4580821059291869,
                    1.0 / 66},
          .mid = {0.10741235230096871,
                  0.01135625,
                  0.39560903056045305,
                  -0.34475214352593553,
                  1.3161853649581645,
                  -1.0170608542936508,
                  0.03125}};
}

class Tsit5 final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0",
            "Tsitouras 5(4), adaptive, 6 evaluations an attempt",
            "[Tsitouras11]",
            {},
            {"adaptive"}};
  }
  explicit Tsit5(const Params&) : RungeKutta(tableau()) {}
};

}  // namespace

UNMASK_PLUGIN(Tsit5)
