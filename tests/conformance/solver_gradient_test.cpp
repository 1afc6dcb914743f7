// Gradients of every method under the driver: the derivative of what it computes, or of the flow.

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <gtest/gtest.h>

#include "conformance/solver_problem.hpp"

namespace unmask::test::solver_gradient_test {
namespace {

// --- gradients

// A network on rows of 3 with everything that carries a gradient: the input, from which the start
// and a tensor that the field captures are computed, and a weight of the field.
class Network {
 public:
  struct Leaves {
    Tensor input;   // [2, 3]
    Tensor weight;  // [3, 4]
  };

  static Leaves leaves() {
    return {tensor({0.5, -0.2, 1.0, -1.0, 0.7, 0.1}, 3), pattern(3, 4, 1.1, 0.3)};
  }

  static Tensor start(const Leaves& l) { return l.input.matmul(pattern(3, 3, 0.8, 0.9)); }

  // tanh(y W + c(x) + t u) U - y / 2
  static State evaluate(const Tensor& weight,
                        const Tensor& context,
                        const Scalar& t,
                        const State& y) {
    const Tensor time = broadcast(t, y[0]) * pattern(1, 4, 0.7, 0.2);
    return {torch::tanh(y[0].matmul(weight) + context + time).matmul(pattern(4, 3, 1.2, 0.5)) -
            0.5 * y[0]};
  }

  // The same for all rows: under control sample the field may be asked about some of them alone.
  static Tensor context(const Leaves& l) {
    return torch::tanh(l.input.sum(0, true).matmul(pattern(3, 4, 0.6, 1.4)));
  }

  // Captures the weight and a tensor made from the input, or their values alone.
  static std::shared_ptr<FunctionField> field(const Leaves& l, bool captures) {
    const Tensor weight = captures ? l.weight : l.weight.detach();
    const Tensor made = captures ? context(l) : context(l).detach();
    return std::make_shared<FunctionField>(false, [weight, made](const Scalar& t, const State& y) {
      return evaluate(weight, made, t, y);
    });
  }

  static Tensor pattern(std::int64_t rows, std::int64_t columns, double scale, double phase) {
    const Tensor i = torch::arange(rows * columns, torch::kDouble);
    return (torch::sin(i * 1.7 + phase) * scale).reshape({rows, columns});
  }
};

// Weighted, so that no symmetry hides an error.
Tensor readout(const Tensor& y) {
  const Tensor weights = torch::arange(1, y.numel() + 1, y.options().requires_grad(false));
  return (y * weights.reshape(y.sizes())).sum();
}

using Map = std::function<Tensor(const Network::Leaves&)>;  // to the state at the end

struct Differentiated {
  Tensor value;
  Tensor gradient;  // of the readout: the input's, then the weight's
};

Differentiated differentiate(const Map& map) {
  Network::Leaves l = Network::leaves();
  l.input.requires_grad_(true);
  l.weight.requires_grad_(true);
  const Tensor y = map(l);
  const std::vector<Tensor> gradients = torch::autograd::grad(
      {readout(y)}, {l.input, l.weight}, {}, {}, false, /*allow_unused=*/true);
  const Tensor by_weight =
      gradients[1].defined() ? gradients[1] : torch::zeros_like(l.weight).detach();
  return {y.detach(), torch::cat({gradients[0].flatten(), by_weight.flatten()})};
}

// Five points: d^4 times fifth derivatives is far below the other errors.
Tensor central_differences(const Map& map, double d) {
  const at::NoGradGuard no_grad;
  Reals out;
  for (const bool of_weight : {false, true}) {
    const std::int64_t size = of_weight ? 12 : 6;
    for (std::int64_t i = 0; i < size; ++i) {
      const auto moved = [&](double by) {
        Network::Leaves l = Network::leaves();
        (of_weight ? l.weight : l.input).view({-1})[i] += by;
        return readout(map(l)).item<double>();
      };
      out.push_back((8 * (moved(d) - moved(-d)) - (moved(2 * d) - moved(-2 * d))) / (12 * d));
    }
  }
  return torch::tensor(out, torch::kDouble);
}

class GradientMaps {
 public:
  explicit GradientMaps(std::shared_ptr<Method> method) : method_(std::move(method)) {}

  Map map(DriverOptions o, bool captures = true) const {
    return [method = method_, o = std::move(o), captures](const Network::Leaves& l) {
      const SolveResult result =
          ode::solve(method, o, Network::field(l, captures), {Network::start(l)}, {0, 1});
      if (result.status != ode::SolveStatus::kOk) {
        throw std::runtime_error(std::string(ode::to_string(result.status)) + result.failure);
      }
      return result.state[0];
    };
  }

 private:
  std::shared_ptr<Method> method_;
};

// How far a gradient is from the differences of its map. A short step d seldom meets a kink, where
// another element or another limit begins to count, but divides rounding, which error ratios of
// 1e-9 amplify, by d; a longer one the other way round. A wrong gradient agrees with neither.
// Iterations end at 1e-10 of the state or far below it, which a yet longer one hides.
double deviation_from_differences(const Tensor& gradient,
                                  const Map& map,
                                  const MethodTraits& traits) {
  double least = std::numeric_limits<double>::infinity();
  for (const double d : traits.is_implicit ? Reals{1e-3} : Reals{1e-5, 1e-4}) {
    least = std::min(least, relative_deviation(gradient, central_differences(map, d)));
    if (least < 1e-7) break;
  }
  return least;
}

class AllGradients : public SolverConformance {
 protected:
  Map map(const Values& values, bool captures = true) {
    if (shared_ == nullptr) shared_ = std::move(method_);
    return GradientMaps(shared_).map(options(values), captures);
  }
  Map map(const DriverOptions& o) {
    if (shared_ == nullptr) shared_ = std::move(method_);
    return GradientMaps(shared_).map(o);
  }

  static Values under(Values values, const char* gradient) {
    values["gradient"] = std::string(gradient);
    return values;
  }

  // Computed again with the same operations: the values have the same bits, the gradients are
  // summed in another order. Error ratios down to 1e-9 amplify that under step_gradient full.
  void expect_checkpoint_is_direct(const Values& values, const std::string& name) {
    const Differentiated direct = differentiate(map(values));
    const Differentiated again = differentiate(map(under(values, "checkpoint")));
    EXPECT_TRUE(torch::equal(again.value, direct.value)) << name;
    EXPECT_LT(relative_deviation(again.gradient, direct.gradient), 1e-9) << name;
  }

  std::shared_ptr<Method> shared_;
};

class AdaptiveGradients : public AllGradients {
 protected:
  static Values with(const char* control, const char* end, const char* rule) {
    return {{"rtol", 0.1},
            {"atol", 0.1},
            {"control", std::string(control)},
            {"end", std::string(end)},
            {"step_gradient", std::string(rule)}};
  }
};

class FixedGradients : public AllGradients {};

TEST_P(FixedGradients, CheckpointIsDirect) {
  expect_checkpoint_is_direct({{"step_size", 0.15}}, "");
}

TEST_P(AdaptiveGradients, CheckpointIsDirect) {
  for (const char* control : kControls) {
    for (const char* end : kEnds) {
      for (const char* rule : kStepGradients) {
        expect_checkpoint_is_direct(with(control, end, rule),
                                    std::string(control) + " " + end + " " + rule);
      }
    }
  }
}

TEST_P(FixedGradients, AreTheDerivativeOfTheComputedMap) {
  const Map fixed = map(Values{{"step_size", 0.15}});
  EXPECT_LT(deviation_from_differences(differentiate(fixed).gradient, fixed, traits_), 1e-6);
}

TEST_P(AdaptiveGradients, FullIsTheDerivativeOfTheComputedMap) {
  for (const char* control : kControls) {
    for (const char* end : kEnds) {
      const Map full = map(with(control, end, "full"));
      EXPECT_LT(deviation_from_differences(differentiate(full).gradient, full, traits_), 1e-6)
          << control << " " << end;
    }
  }
}

TEST_P(AdaptiveGradients, FullIsTheDerivativeThroughRejectedAttempts) {
  for (const char* control : kControls) {
    Values values = with(control, "clamp", "full");
    values["rtol"] = values["atol"] = 1e-4;
    values["first_step"] = 0.99;
    const Map full = map(values);
    EXPECT_LT(deviation_from_differences(differentiate(full).gradient, full, traits_), 1e-6)
        << control;
  }
}

TEST_P(AdaptiveGradients, NoneIsTheDerivativeOfTheReplayedMap) {
  for (const char* control : kControls) {
    for (const char* end : kEnds) {
      const Values values = with(control, end, "none");
      const Differentiated none = differentiate(map(values));
      const Network::Leaves l = Network::leaves();
      const SolveResult recorded = ode::solve(
          shared_, options(values), Network::field(l, false), {Network::start(l)}, {0, 1});
      Values replayed = values;
      replayed.erase("step_gradient");
      replayed["controller"] = std::string("replay");
      DriverOptions o = options(replayed);
      o.schedule = std::make_shared<const ode::Schedule>(recorded.schedule);
      const Map replay = map(o);

      EXPECT_TRUE(torch::equal(replay(l), none.value)) << control << " " << end;
      EXPECT_LT(deviation_from_differences(none.gradient, replay, traits_), 1e-6)
          << control << " " << end;
    }
  }
}

TEST_P(AdaptiveGradients, ReplayIsNone) {
  for (const char* control : kControls) {
    for (const char* end : kEnds) {
      const Values values = with(control, end, "none");
      Values replayed = under(values, "replay");
      replayed.erase("step_gradient");

      const Differentiated none = differentiate(map(values));
      const Differentiated replay = differentiate(map(replayed));

      EXPECT_TRUE(torch::equal(replay.value, none.value)) << control << " " << end;
      EXPECT_LT(relative_deviation(replay.gradient, none.gradient), 1e-12) << control << " " << end;
    }
  }
}

// --- the adjoints, against the gradient of the flow

// Kutta's classical rule in plain tensors at 128 steps, whose error is some 1e-9.
Tensor flow(const Network::Leaves& l, bool captures) {
  const auto field = Network::field(l, captures);
  const int steps = 128;
  const double h = 1.0 / steps;
  Tensor y = Network::start(l);
  for (int i = 0; i < steps; ++i) {
    const double t = i * h;
    const Tensor k1 = field->evaluate({t, {}}, {y})[0];
    const Tensor k2 = field->evaluate({t + h / 2, {}}, {y + h / 2 * k1})[0];
    const Tensor k3 = field->evaluate({t + h / 2, {}}, {y + h / 2 * k2})[0];
    const Tensor k4 = field->evaluate({t + h, {}}, {y + h * k3})[0];
    y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
  }
  return y;
}

class Adjoint : public AllGradients {
 protected:
  // Methods that solve equations per sample have no batch to sum gradients of parameters over.
  bool reaches_captures(const Values& values) const {
    const auto control = values.find("control");
    const bool is_per_sample =
        control != values.end() && std::get<std::string>(control->second) == "sample";
    return !is_per_sample && !(traits_.is_implicit && traits_.history == 0);
  }

  double error(const Values& values, const char* gradient) {
    const bool captures = reaches_captures(values);
    const Tensor exact =
        differentiate([&](const Network::Leaves& l) { return flow(l, captures); }).gradient;
    return relative_deviation(differentiate(map(under(values, gradient), captures)).gradient,
                              exact);
  }
};

TEST_P(Adjoint, ConvergesToTheGradientOfTheFlowAsTheStepsShrink) {
  for (const char* gradient : {"adjoint", "interpolated"}) {
    const double coarse = error(steps_of(1.0 / 8), gradient);
    const double fine = error(steps_of(1.0 / 32), gradient);
    // Between the steps a cubic is of order 4, a quartic through the middle that the method gives
    // may be of order 2 only. The rest: the window of the order, at
    // both numbers of steps, and the start of a multistep method.
    const int between = std::string(gradient) == "adjoint" ? traits_.order
                        : traits_.has_midpoint             ? 2
                                                           : 4;
    const double order = std::min(traits_.order, between) - 0.75;
    EXPECT_LT(fine, std::max(coarse * std::pow(4, -order), 1e-8)) << gradient << " " << coarse;
  }
}

TEST_P(Adjoint, RefusesCapturesThatItCannotReach) {
  if (!traits_.is_implicit || traits_.history > 0) return;
  EXPECT_THROW(differentiate(map(under(usual_steps(), "adjoint"))), NumericError);
}

class AdaptiveAdjoint : public Adjoint {};

TEST_P(AdaptiveAdjoint, ConvergesToTheGradientOfTheFlowAsTheToleranceShrinks) {
  const std::vector<std::pair<const char*, const char*>> ways = {
      {"adjoint", "batch"}, {"adjoint", "sample"}, {"interpolated", "batch"}};
  for (const auto& [gradient, control] : ways) {
    const auto at = [&, g = gradient, c = control](double tolerance) {
      return error({{"preset", std::string("clean")},
                    {"control", std::string(c)},
                    {"rtol", tolerance},
                    {"atol", tolerance}},
                   g);
    };
    const double coarse = at(1e-2);
    const double fine = at(1e-5);
    // Errors follow the tolerance with a power of at least one half, unless they are below it from
    // the start.
    EXPECT_LT(fine, std::max(coarse / 30, 1e-5)) << gradient << " " << control << " " << coarse;
    // As for the solution.
    EXPECT_LT(fine, 1000 * 1e-5) << gradient << " " << control;
  }
}

// --- for every method

INSTANTIATE_TEST_SUITE_P(Plugin, Adjoint, methods(Which::kAll), id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, AdaptiveGradients, methods(Which::kAdaptive), id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, AdaptiveAdjoint, methods(Which::kAdaptive), id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, FixedGradients, methods(Which::kFixed), id_of);

}  // namespace
}  // namespace unmask::test::solver_gradient_test
