// Adams-Moulton with Adams-Bashforth as predictor: source [HNW93] III.1.

#include "unmask/kit/ode/adams.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

kit::AdamsSettings settings(const Params& p) {
  kit::AdamsSettings settings = kit::adams_settings(p, /*is_implicit=*/true);
  settings.max_iterations = static_cast<int>(p.get_integer("max_iters"));
  settings.rtol = p.get_real("rtol");
  settings.atol = p.get_real("atol");
  settings.convergence = p.get_text("convergence") == "batch" ? kit::AdamsConvergence::kBatch
                                                              : kit::AdamsConvergence::kSample;
  return settings;
}

class ImplicitAdams final : public kit::Adams {
 public:
  static PluginInfo info() {
    return {
        "1.1",
        "Adams-Moulton with a predictor, implicit multistep method, 2 to 5 evaluations a step",
        "[HNW93] III.1",
        kit::joined(
            {kit::adams_params(),
             {integer("max_iters", "most iterations of the corrector").by_default(4).at_least(1),
              real("rtol", "relative tolerance of the corrector's increments")
                  .by_default(1e-3)
                  .above(0),
              real("atol", "absolute tolerance of the corrector's increments")
                  .by_default(1e-4)
                  .above(0),
              choice("convergence",
                     {"sample", "batch"},
                     "sample: every sample stops at its own increments; batch: all at the largest, "
                     "as torchdiffeq")
                  .by_default("sample")}}),
        {}};
  }
  explicit ImplicitAdams(const Params& p) : Adams(settings(p)) {}
};

}  // namespace

UNMASK_PLUGIN(ImplicitAdams)
