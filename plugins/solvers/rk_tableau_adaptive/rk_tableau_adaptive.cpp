// An embedded Runge-Kutta pair from a Butcher table in the manifest: source [HNW93] II.4.

#include "unmask/kit/ode/tableau.hpp"
#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

class RkTableauAdaptive final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0",
            "embedded Runge-Kutta pair with a Butcher table from the manifest, adaptive",
            "[HNW93] II.4",
            kit::adaptive_tableau_params(),
            {"adaptive"}};
  }
  explicit RkTableauAdaptive(const Params& p)
      : RungeKutta(kit::tableau_from(p, /*is_adaptive=*/true)) {}
};

}  // namespace

UNMASK_PLUGIN(RkTableauAdaptive)
