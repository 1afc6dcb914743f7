// Two-stage SDIRK of order 2, L-stable, for stiff problems: source [Alexander77].

#include <cmath>

#include "unmask/kit/ode/stage_solver.hpp"
#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

class Sdirk2 final : public Method {
 public:
  static PluginInfo info() {
    return {"1.0",
            "two-stage SDIRK of order 2, L-stable; Newton-Krylov, no matrices",
            "[Alexander77]; [KK04]",
            kit::newton_params(),
            {}};
  }
  explicit Sdirk2(const Params& p) : solver_("sdirk2", kit::newton_settings(p)) {}

  MethodTraits traits() const override {
    MethodTraits traits;
    traits.order = 2;
    traits.is_implicit = true;
    return traits;
  }

  // With g = 1 - 1/sqrt(2):
  //   Y1 = y0 + g h f(t0 + g h, Y1)
  //   Y2 = y0 + (1 - g) h f(t0 + g h, Y1) + g h f(t0 + h, Y2),  y1 = Y2
  // f at Y1 is taken from the first equation, (Y1 - y0) / (g h): evaluated, it would carry the
  // error of Y1 multiplied by the stiffness.
  StepOutput step(VectorField& field,
                  const StepInput& input,
                  const State& y0,
                  const State&) override {
    UNMASK_CHECK(input.h.is_constant() && input.t0.is_constant() && input.t1.is_constant(),
                 "sdirk2 with a step that is not a constant");
    const double g = 1 - 1 / std::sqrt(2.0);
    const double c = g * input.h.value;
    StepOutput out;
    kit::StageSolution first = solver_.solve(field, {input.t0.value + c, {}}, c, y0, y0);
    if (!first.failure.empty()) {
      out.y1 = std::move(first.y);
      out.failure = std::move(first.failure);
      return out;
    }
    const double share = (1 - g) / g;
    State base;
    for (std::size_t k = 0; k < y0.size(); ++k) {
      base.push_back(combine({}, {1, {}}, {1 - share, share}, {y0[k], first.y[k]}));
    }
    kit::StageSolution second = solver_.solve(field, input.t1, c, base, first.y);
    out.y1 = std::move(second.y);
    out.failure = std::move(second.failure);
    return out;
  }

 private:
  kit::StageSolver solver_;
};

}  // namespace

UNMASK_PLUGIN(Sdirk2)
