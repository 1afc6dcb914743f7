// Adams-Bashforth, explicit multistep method: source [HNW93] III.1.

#include "unmask/kit/ode/adams.hpp"
#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

class ExplicitAdams final : public kit::Adams {
 public:
  static PluginInfo info() {
    return {"1.1",
            "Adams-Bashforth, explicit multistep method, 1 evaluation a step",
            "[HNW93] III.1",
            kit::adams_params(),
            {}};
  }
  explicit ExplicitAdams(const Params& p) : Adams(kit::adams_settings(p, /*is_implicit=*/false)) {}
};

}  // namespace

UNMASK_PLUGIN(ExplicitAdams)
