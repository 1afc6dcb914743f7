// Implicit midpoint rule, order 2, for stiff and for conservative problems: source [HW96] IV.2.

#include "unmask/kit/ode/stage_solver.hpp"
#include "unmask/plugin.hpp"

namespace {

using namespace unmask;

class ImplicitMidpoint final : public Method {
 public:
  static PluginInfo info() {
    return {"1.0",
            "implicit midpoint rule, order 2, A-stable; Newton-Krylov, no matrices",
            "[HW96] IV.2; [KK04]",
            kit::newton_params(),
            {}};
  }
  explicit ImplicitMidpoint(const Params& p)
      : solver_("implicit_midpoint", kit::newton_settings(p)) {}

  MethodTraits traits() const override {
    MethodTraits traits;
    traits.order = 2;
    traits.is_implicit = true;
    return traits;
  }

  // Y = y0 + h/2 f(t0 + h/2, Y), y1 = y0 + h f(t0 + h/2, Y) = 2 Y - y0
  StepOutput step(VectorField& field,
                  const StepInput& input,
                  const State& y0,
                  const State&) override {
    UNMASK_CHECK(input.h.is_constant() && input.t0.is_constant(),
                 "implicit_midpoint with a step that is not a constant");
    const double half = input.h.value / 2;
    StepOutput out;
    kit::StageSolution middle = solver_.solve(field, {input.t0.value + half, {}}, half, y0, y0);
    out.failure = std::move(middle.failure);
    for (std::size_t k = 0; k < y0.size(); ++k) {
      out.y1.push_back(combine({}, {1, {}}, {2, -1}, {middle.y[k], y0[k]}));
    }
    return out;
  }

 private:
  kit::StageSolver solver_;
};

}  // namespace

UNMASK_PLUGIN(ImplicitMidpoint)
