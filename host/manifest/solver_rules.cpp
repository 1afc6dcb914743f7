#include "manifest/solver_rules.hpp"

#include <optional>

#include "base/counted.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest {
namespace {

class SolverRules : private OptionRules {
 public:
  SolverRules(const nlohmann::json& values, const IsWritten& is_written)
      : OptionRules(values, is_written) {}

  std::vector<OptionConflict> check() {
    check_gradient();
    if (values().contains("preset")) check_adaptive();
    return take_conflicts();
  }

 private:
  std::string text(const char* name) const {
    const auto found = values().find(name);
    return found != values().end() && found->is_string() ? found->get<std::string>() : "";
  }

  std::optional<double> real(const char* name) const {
    const auto found = values().find(name);
    if (found == values().end() || !found->is_number()) return std::nullopt;
    return found->get<double>();
  }

  // Written or by the preset.
  bool is_per_sample() const {
    const std::string control = text("control");
    return control.empty() ? text("preset") == "clean" : control == "sample";
  }

  void check_gradient() {
    const std::string gradient = text("gradient");
    const bool is_adjoint = gradient == "adjoint" || gradient == "interpolated";
    const bool is_adaptive = values().contains("preset");
    if (!is_adjoint) {
      expect_unwritten({"seminorm", "adjoint_rtol", "adjoint_atol"},
                       "gradient is " + in_quotes(gradient) + ", not an adjoint");
    } else if (!is_adaptive) {
      expect_unwritten({"seminorm"}, "fixed steps look at no error norm");
    }
    if (is_adjoint || gradient == "replay") {
      expect_unwritten({"step_gradient"},
                       "gradient " + in_quotes(gradient) + " differentiates no step size");
    }
  }

  void check_adaptive() {
    const std::string controller = text("controller");
    const std::string gradient = text("gradient");
    const Names error_options = {"rtol",
                                 "atol",
                                 "norm",
                                 "controller_order",
                                 "min_step",
                                 "max_step",
                                 "safety",
                                 "max_growth",
                                 "min_growth",
                                 "step_gradient"};
    if (controller == "constant") {
      if (!real("first_step")) {
        add({"controller"},
            "controller \"constant\" needs \"first_step\"",
            "first_step is the size of every step then");
      }
      expect_unwritten(error_options, "controller \"constant\" looks at no error");
    }
    if (controller == "replay") {
      expect_unwritten({"step_gradient"}, "the steps of controller \"replay\" are constants");
      if (gradient == "adjoint" || gradient == "interpolated" || gradient == "replay") {
        add({"gradient", "controller"},
            "gradient " + in_quotes(gradient) + " does not go with controller \"replay\"",
            gradient == "replay" ? "the steps are replayed already; use direct or checkpoint"
                                 : "the backward solve has no schedule; use direct or checkpoint");
      }
    }
    check_exponents(controller);
    if (gradient == "interpolated" && is_per_sample()) {
      add({"gradient", "control", "preset"},
          "gradient \"interpolated\" needs one forward solution for all samples",
          "use control \"batch\", or gradient \"adjoint\"");
    }
    if (controller != "constant") check_steps();
  }

  void check_exponents(const std::string& controller) {
    const auto exponents = values().find("exponents");
    if (exponents == values().end()) return;
    const std::size_t ratios = controller == "i" ? 1 : controller == "pi" ? 2 : 3;
    if (controller == "constant" || controller == "replay") {
      expect_unwritten({"exponents"},
                       controller == "replay" ? "schedules are recorded under controller \"i\""
                                              : "controller \"constant\" looks at no error");
    } else if (exponents->size() != ratios) {
      add({"exponents"},
          "\"exponents\" has " + base::counted(exponents->size(), "entry", "entries") +
              ", controller " + in_quotes(controller) + " looks at " +
              base::counted(ratios, "error ratio"),
          "give one exponent per ratio, that of the last step first");
    } else if (!(exponents->front().get<double>() > 0)) {
      add({"exponents"},
          "the first of \"exponents\" is " + number_text(exponents->front().get<double>()) +
              ", which lengthens a step after a large error",
          "it must be positive");
    }
  }

  void check_steps() {
    const auto min_step = real("min_step");
    const auto max_step = real("max_step");
    const auto first_step = real("first_step");
    if (min_step && max_step && *min_step > *max_step) {
      add({"min_step", "max_step"},
          "min_step = " + number_text(*min_step) +
              " is larger than max_step = " + number_text(*max_step),
          "no step size satisfies both");
    } else if (first_step &&
               ((min_step && *first_step < *min_step) || (max_step && *first_step > *max_step))) {
      add({"first_step"},
          "first_step = " + number_text(*first_step) + " lies outside of min_step to max_step",
          "choose it between them");
    }
  }
};

}  // namespace

std::vector<OptionConflict> solver_conflicts(const nlohmann::json& values,
                                             const IsWritten& is_written) {
  return SolverRules(values, is_written).check();
}

}  // namespace unmask::manifest
