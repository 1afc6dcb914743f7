// Adams-Bashforth, explicit multistep method: source [HNW93] III.1.

#include "unmask/kit/ode/adams.hpp"
#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

class ExplicitAdams final : public kit::Adams {
 public:
  static PluginInfo info() {
    return {"1.0",
            "Adams-Bashforth, explicit multistep method, 1 evaluation a step",
            "[HNW93] III.1",
            {kit::adams_max_order()},
            {}};
  }
  explicit ExplicitAdams(const Params& p)
      : Adams({.is_implicit = false, .max_order = static_cast<int>(p.get_integer("max_order"))}) {}
};

}  // namespace

UNMASK_PLUGIN(ExplicitAdams)
