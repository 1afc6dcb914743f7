// A solver that does what it should not, in the way that its parameter says (tests/soak/zoo.py).

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <torch/types.h>

#include "hostile.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

// What becomes of a step that was right.
using Modes = std::map<std::string, std::function<void(StepOutput&)>>;

const Modes& steps() {
  static const Modes modes = {
      {"good", [](StepOutput&) {}},
      {"nan", [](StepOutput& s) { s.y1[0] = s.y1[0] * kNan; }},
      {"error_nan", [](StepOutput& s) { s.error[0] = s.error[0] * kNan; }},
      {"error_huge", [](StepOutput& s) { s.error[0] = s.error[0] * 0 + 1e20; }},
      {"error_none", [](StepOutput& s) { s.error[0] = s.error[0] * 0; }},
      {"error_missing", [](StepOutput& s) { s.error.clear(); }},
      {"error_shape", [](StepOutput& s) { s.error[0] = s.error[0].slice(0, 0, 1); }},
      {"failure", [](StepOutput& s) { s.failure = "the equations of a step have no solution"; }},
      {"nothing", [](StepOutput& s) { s = {}; }},
      {"undefined", [](StepOutput& s) { s.y1 = {Tensor()}; }},
      {"components", [](StepOutput& s) { s.y1.push_back(s.y1[0]); }},
      {"shape", [](StepOutput& s) { s.y1[0] = s.y1[0].slice(0, 0, 1); }},
      {"flat", [](StepOutput& s) { s.y1[0] = s.y1[0].flatten(); }},
      {"double", [](StepOutput& s) { s.y1[0] = s.y1[0].to(at::kDouble); }},
      {"integers", [](StepOutput& s) { s.y1[0] = s.y1[0].to(at::kLong); }},
      {"stages",
       [](StepOutput& s) {
         s.stages = {{}, {Tensor()}};
       }},
      {"detached", [](StepOutput& s) { s.y1[0] = s.y1[0].detach(); }},
      {"kept_negative", [](StepOutput& s) { s.history_kept = -1; }},
      {"crash", [](StepOutput&) { ::raise(SIGSEGV); }},
      {"exit", [](StepOutput&) { std::exit(0); }},
      {"abort", [](StepOutput&) { std::abort(); }},
      {"throws_number", [](StepOutput&) { throw 1; }},
      {"hang",
       [](StepOutput&) {
         ::signal(SIGTERM, SIG_IGN);
         for (;;) ::pause();
       }},
      {"prints", [](StepOutput&) { std::cout << "{\"kind\": \"result\"}\n"
                                             << std::flush; }}};
  return modes;
}

std::vector<std::string> names() {
  return names_of({"born_crash",
                   "born_throw_number",
                   "no_order",
                   "no_controller",
                   "writes_state",
                   "writes_derivative",
                   "asks_wrong_shape"},
                  steps());
}

class HostileSolver final : public Method {
 public:
  static PluginInfo info() { return info_of(names(), {"adaptive"}); }
  explicit HostileSolver(const Params& params) : how_(params.get_text("how")) {
    if (how_ == "born_crash") ::raise(SIGSEGV);
    if (how_ == "born_throw_number") throw 1;
  }

  MethodTraits traits() const override {
    return {.order = how_ == "no_order" ? 0 : 2,
            .controller_order = how_ == "no_controller" ? 0 : 2,
            .stages = 2,
            .is_adaptive = true};
  }

  // Heun's method with Euler's for the error.
  StepOutput step(VectorField& field,
                  const StepInput& input,
                  const State& y0,
                  const State& f0) override {
    const double h = input.h.value;
    State euler = {y0[0] + h * f0[0]};
    if (how_ == "asks_wrong_shape") euler[0] = euler[0].flatten();
    const State f1 = field.evaluate(input.t1, euler);
    StepOutput out;
    out.y1 = {y0[0] + h / 2 * (f0[0] + f1[0])};
    out.error = {h / 2 * (f1[0] - f0[0])};
    out.stages = {f0, f1};
    if (how_ == "writes_state") y0[0].detach().zero_();
    if (how_ == "writes_derivative") f0[0].detach().zero_();
    const auto mode = steps().find(how_);
    if (mode != steps().end()) mode->second(out);
    return out;
  }

 private:
  std::string how_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::HostileSolver)
