// An explicit Runge-Kutta method from a Butcher table in the manifest: source [HNW93] II.1.

#include "unmask/kit/ode/tableau.hpp"
#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

class RkTableau final : public RungeKutta {
 public:
  static PluginInfo info() {
    return {"1.0",
            "explicit Runge-Kutta method with a Butcher table from the manifest, fixed steps",
            "[HNW93] II.1",
            kit::tableau_params(),
            {}};
  }
  explicit RkTableau(const Params& p) : RungeKutta(kit::tableau_from(p, /*is_adaptive=*/false)) {}
};

}  // namespace

UNMASK_PLUGIN(RkTableau)
