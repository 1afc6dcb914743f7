// What every method must keep under the driver: its order, its costs, the derivative of what it
// computes, and results that belong to samples and not to batches. Of a method these claims use
// what MethodTraits and the declarations say, and nothing else.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "catalog/host_options.hpp"
#include "conformance/kinds.hpp"
#include "ode/driver.hpp"
#include "unmask/errors.hpp"
#include "unmask/solver.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::conformance {
namespace solvers {
namespace {

using ode::DriverOptions;
using ode::SolveResult;
using test::driven;
using test::driven_exact;
using test::driven_start;
using test::FunctionField;
using test::rotor;
using test::rotor_exact;
using test::rotor_start;
using Reals = std::vector<double>;

Tensor tensor(const Reals& values, std::int64_t columns) {
  return torch::tensor(values, torch::kDouble).reshape({-1, columns});
}

double difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

double relative_difference(const Tensor& a, const Tensor& b) {
  return difference(a, b) / b.abs().max().item<double>();
}

// A method, and the driver's options for it from the tables that manifests are read with.
class Trial {
 public:
  explicit Trial(const Subject& subject)
      : method_(subject.make<Method>()),
        traits_(method_->traits()),
        table_(catalog::host_options("solver", subject.capabilities)) {}

  const MethodTraits& traits() const { return traits_; }
  Method& method() const { return *method_; }

  DriverOptions options(Values given) const {
    return DriverOptions::from(Params(table_, std::move(given)), traits_);
  }

  // Steps of one size that end at the end, each of them starting with f there.
  DriverOptions steps_of(double size) const {
    if (!traits_.is_adaptive) return options({{"step_size", size}});
    return options({{"controller", std::string("constant")},
                    {"first_step", size},
                    {"end", std::string("clamp")},
                    {"stale_fsal", false}});
  }

  SolveResult solve(const DriverOptions& o,
                    VectorField& field,
                    const State& y0,
                    const Reals& times = {0, 1}) const {
    SolveResult result = ode::solve(*method_, o, field, y0, times);
    if (result.status != ode::SolveStatus::kOk) {
      throw NumericError(std::string(ode::to_string(result.status)) + " " + result.failure);
    }
    return result;
  }

  // Steps that are solved by iteration come to this relative error and not to rounding.
  double noise() const { return traits_.is_implicit ? 1e-9 : 0; }

 private:
  std::unique_ptr<Method> method_;
  MethodTraits traits_;
  std::vector<ParamSpec> table_;
};

void has_traits_that_go_together(const Subject& subject, Findings& findings) {
  const MethodTraits traits = Trial(subject).traits();
  findings.expect(traits.order >= 1, "its order is " + std::to_string(traits.order));
  findings.expect(traits.is_adaptive == (traits.controller_order > 0),
                  "is_adaptive and controller_order contradict each other");
  findings.expect(traits.is_implicit || traits.stages > 0,
                  "it is explicit and has " + std::to_string(traits.stages) + " stages");
  findings.expect(traits.history >= 0, "its history is negative");
}

// Of the finest steps n and 2n whose error is above rounding: there the leading term of the error
// is nearest to all of it, and the start of a multistep method weighs least.
double observed_order(const std::function<double(int)>& error) {
  double order = std::numeric_limits<double>::quiet_NaN();
  for (const int n : {4, 6, 8, 12, 16, 24, 32, 48, 64, 96}) {
    const double fine = error(2 * n);
    if (fine < 1e-12) break;
    order = std::log2(error(n) / fine);
  }
  return order;
}

void expect_order(double observed, int declared, const std::string& where, Findings& findings) {
  // The next term of the error's expansion is worth 0.3 at these numbers of steps.
  constexpr double kWindow = 0.3;
  findings.expect(std::abs(observed - declared) <= kWindow,
                  "it declares order " + std::to_string(declared) + " and shows " +
                      std::to_string(observed) + " on " + where);
}

void shows_its_order(const Subject& subject, Findings& findings) {
  const Trial trial(subject);
  const int order = trial.traits().order;
  FunctionField turning = rotor();
  expect_order(observed_order([&](int n) {
                 return difference(
                     trial.solve(trial.steps_of(1.0 / n), turning, {rotor_start()}).state[0],
                     rotor_exact(rotor_start(), 1));
               }),
               order,
               "an oscillator",
               findings);
  FunctionField forced = driven();
  expect_order(observed_order([&](int n) {
                 return difference(
                     trial.solve(trial.steps_of(1.0 / n), forced, {driven_start()}).state[0],
                     driven_exact(1));
               }),
               order,
               "an equation that depends on time",
               findings);
  expect_order(
      observed_order([&](int n) {
        return difference(
            trial.solve(trial.steps_of(1.0 / n), forced, {driven_exact(1)}, {1, 0}).state[0],
            driven_start());
      }),
      order,
      "an equation in reverse time",
      findings);
}

void integrates_polynomials(const Subject& subject, Findings& findings) {
  const Trial trial(subject);
  for (int degree = 1; degree <= trial.traits().order; ++degree) {
    FunctionField field(false, [degree](const Scalar& t, const State& y) {
      return State{torch::full_like(y[0], degree * std::pow(t.value, degree - 1))};
    });
    // A multistep method makes steps from a full history, too.
    const double steps = trial.traits().history == 0 ? 1 : trial.traits().history + 4;
    const Tensor y = trial.solve(trial.steps_of(1 / steps), field, {tensor({0}, 1)}).state[0];
    // Sums of weights up to 45 times values up to the order: some hundred eps.
    findings.at_most(std::abs(y.item<double>() - 1),
                     1e-13 + trial.noise(),
                     "the error on t^" + std::to_string(degree));
  }
}

void costs_what_its_stages_say(const Subject& subject, Findings& findings) {
  const Trial trial(subject);
  const MethodTraits& traits = trial.traits();
  if (traits.is_implicit) return findings.does_not_apply("it solves equations by iteration");
  FunctionField field = rotor();
  const auto count = [&](int steps) {
    return trial.solve(trial.steps_of(1.0 / steps), field, {rotor_start()}).statistics.nfe;
  };
  // The start of a multistep method is its own affair.
  const int first = 2 * traits.history + 6;
  const std::int64_t more = count(first + 5) - count(first);
  findings.expect(more == 5 * traits.stages,
                  "5 more steps cost " + std::to_string(more) + " evaluations, its traits say " +
                      std::to_string(5 * traits.stages));
}

void treats_a_pair_as_one_state(const Subject& subject, Findings& findings) {
  const Trial trial(subject);
  FunctionField whole = test::oscillator(3);
  FunctionField parts(true, [](const Scalar&, const State& s) {
    return State{3 * s[1], -3 * s[0]};
  });
  const DriverOptions o = trial.steps_of(0.1);
  const Tensor y0 = rotor_start();
  const Tensor a = trial.solve(o, whole, {y0}).state[0];
  const State b =
      trial.solve(o, parts, {y0.narrow(1, 0, 1).contiguous(), y0.narrow(1, 1, 1).contiguous()})
          .state;
  // The same operations on every element, except in the norms of an iteration.
  findings.at_most(difference(a, torch::cat({b[0], b[1]}, 1)),
                   trial.noise(),
                   "the difference between a state of two tensors and their concatenation");
}

void computes_in_float32(const Subject& subject, Findings& findings) {
  const Trial trial(subject);
  FunctionField field = driven();
  const DriverOptions o = trial.steps_of(1.0 / 8);
  const Tensor exact = trial.solve(o, field, {driven_start()}).state[0];
  const Tensor rounded = trial.solve(o, field, {driven_start().to(torch::kFloat)}).state[0];
  findings.expect(rounded.scalar_type() == torch::kFloat, "from float32 it makes another type");
  // Every element of the sum over a step is off by eps: 6e-8 times sums of weights up to 50 times
  // |f| up to 6, over the whole interval. Iterations stop at 1e-6 of the state, at most twice a
  // step.
  findings.at_most(difference(rounded.to(torch::kDouble), exact),
                   trial.traits().is_implicit ? 4e-5 : 2e-5,
                   "the difference between float32 and float64");
}

// A network on rows of 3 whose input and weight carry a gradient.
struct Leaves {
  Tensor input = tensor({0.5, -0.2, 1.0, -1.0, 0.7, 0.1}, 3);
  Tensor weight = pattern(3, 4, 1.1, 0.3);

  static Tensor pattern(std::int64_t rows, std::int64_t columns, double scale, double phase) {
    const Tensor i = torch::arange(rows * columns, torch::kDouble);
    return (torch::sin(i * 1.7 + phase) * scale).reshape({rows, columns});
  }
};

// tanh(y W + t u) U - y / 2, read out with weights, so that no symmetry hides an error.
Tensor readout(const Trial& trial, const DriverOptions& o, const Leaves& l) {
  const Tensor by_time = Leaves::pattern(1, 4, 0.7, 0.2);
  const Tensor out = Leaves::pattern(4, 3, 1.2, 0.5);
  FunctionField field(false, [&](const Scalar& t, const State& y) {
    return State{torch::tanh(y[0].matmul(l.weight) + broadcast(t, y[0]) * by_time).matmul(out) -
                 0.5 * y[0]};
  });
  const Tensor y = trial.solve(o, field, {l.input}).state[0];
  return (y * torch::arange(1, 7, torch::kDouble).reshape({2, 3})).sum();
}

// Five points: d^4 times fifth derivatives is far below the other errors.
Tensor central_differences(const Trial& trial, const DriverOptions& o, double d) {
  const at::NoGradGuard no_grad;
  Reals out;
  for (const bool of_weight : {false, true}) {
    for (std::int64_t i = 0; i < (of_weight ? 12 : 6); ++i) {
      const auto moved = [&](double by) {
        Leaves l;
        (of_weight ? l.weight : l.input).view({-1})[i] += by;
        return readout(trial, o, l).item<double>();
      };
      out.push_back((8 * (moved(d) - moved(-d)) - (moved(2 * d) - moved(-2 * d))) / (12 * d));
    }
  }
  return torch::tensor(out, torch::kDouble);
}

void check_gradient(const Trial& trial,
                    const DriverOptions& o,
                    const std::string& where,
                    Findings& findings) {
  Leaves l;
  l.input.requires_grad_(true);
  l.weight.requires_grad_(true);
  const auto parts = torch::autograd::grad({readout(trial, o, l)}, {l.input, l.weight});
  const Tensor gradient = torch::cat({parts[0].flatten(), parts[1].flatten()});
  // A short d seldom meets a kink, where another element or limit begins to count, but divides
  // rounding, which error ratios of 1e-9 amplify, by d; a longer one the other way round. A wrong
  // gradient agrees with neither. Iterations end at 1e-10 of the state, which a yet longer one
  // hides.
  double least = std::numeric_limits<double>::infinity();
  for (const double d : trial.traits().is_implicit ? Reals{1e-3} : Reals{1e-5, 1e-4}) {
    least = std::min(least, relative_difference(gradient, central_differences(trial, o, d)));
    if (least < 1e-7) break;
  }
  findings.at_most(
      least, 1e-6, "the relative difference of gradient and finite difference" + where);
}

void has_the_gradient_of_differences(const Subject& subject, Findings& findings) {
  const Trial trial(subject);
  check_gradient(trial, trial.steps_of(0.125), " with steps of 1/8", findings);
  if (!trial.traits().is_adaptive) return;
  for (const char* control : {"batch", "sample"}) {
    check_gradient(trial,
                   trial.options({{"rtol", 0.1},
                                  {"atol", 0.1},
                                  {"control", std::string(control)},
                                  {"step_gradient", std::string("full")}}),
                   std::string(" with adaptive steps, control ") + control,
                   findings);
  }
}

void reaches_its_tolerance(const Subject& subject, Findings& findings) {
  const Trial trial(subject);
  if (!trial.traits().is_adaptive) return findings.does_not_apply("its steps are fixed");
  for (const char* control : {"batch", "sample"}) {
    const auto error = [&](double tolerance) {
      FunctionField field = driven();
      const DriverOptions o = trial.options({{"rtol", tolerance},
                                             {"atol", tolerance},
                                             {"control", std::string(control)},
                                             {"end", std::string("clamp")},
                                             {"step_gradient", std::string("none")},
                                             {"stale_fsal", false}});
      return difference(trial.solve(o, field, {driven_start()}).state[0], driven_exact(1));
    };
    const double loose = error(1e-5);
    const double tight = error(1e-7);
    const std::string where = std::string(" under control ") + control;
    // Local errors add up; an estimate may be some hundred times too small (Fehlberg's 2(1): 512).
    findings.at_most(loose, 1000 * 1e-5, "at tolerance 1e-5 the error" + where);
    findings.at_most(tight, 1000 * 1e-7, "at tolerance 1e-7 the error" + where);
    // Errors follow the tolerance with a power of at least one half, unless they are below it.
    findings.at_most(
        tight, std::max(loose / 5, 1e-7), "with a tolerance 100 times smaller the error" + where);
  }
}

// y' = t - y - 8 y^3, whose stiffness grows with y^2. Products and sums alone, which have the same
// bits wherever an element stands.
FunctionField elementwise() {
  return {false, [](const Scalar& t, const State& y) {
            return State{broadcast(t, y[0]) - y[0] - 8 * y[0] * y[0] * y[0]};
          }};
}

void keeps_samples_apart(const Subject& subject, Findings& findings) {
  const Trial trial(subject);
  if (trial.traits().couples_samples) {
    return findings.does_not_apply("its traits say that it couples samples");
  }
  DriverOptions o = trial.steps_of(1.0 / 64);
  if (trial.traits().is_adaptive) {
    o = trial.options({{"rtol", 1e-3}, {"atol", 1e-3}, {"control", std::string("sample")}});
  }
  // The stiffest row changes at a rate of 25 at first.
  const Tensor rows = tensor({0.01, 0.02, -0.03, 1, -0.5, 0.75, 0, 0, 0, 0.3, -0.25, 0.1}, 3);
  FunctionField field = elementwise();
  const Tensor y0 = rows.clone().requires_grad_(true);
  const Tensor together = trial.solve(o, field, {y0}).state[0];
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    const Tensor alone = trial.solve(o, field, {rows.narrow(0, i, 1)}).state[0];
    findings.expect(torch::equal(alone[0], together[i].detach()),
                    "a sample has another result alone than in a batch");
    Tensor gradient =
        torch::autograd::grad({together[i].sum()}, {y0}, {}, /*retain_graph=*/true)[0].clone();
    gradient[i].zero_();
    findings.expect(gradient.abs().max().item<double>() == 0,
                    "the gradient of a sample reaches another sample");
  }
}

void repeats_itself(const Subject& subject, Findings& findings) {
  const Trial trial(subject);
  FunctionField field = driven();
  const DriverOptions o = trial.steps_of(1.0 / 8);
  const Tensor y0 = driven_start();
  const Tensor once = trial.solve(o, field, {y0}).state[0];
  FunctionField other = rotor();
  trial.solve(o, other, {rotor_start()});
  findings.expect(torch::equal(once, trial.solve(o, field, {y0}).state[0]),
                  "after another solve the same solve gives other bits: it keeps a state");
  findings.expect(torch::equal(y0, driven_start()), "it changes the state that it starts from");
}

constexpr Claim kClaims[] = {
    {"has traits that go together", has_traits_that_go_together},
    {"shows the order that it declares", shows_its_order},
    {"integrates polynomials up to its order exactly", integrates_polynomials},
    {"costs what its stages say", costs_what_its_stages_say},
    {"repeats itself, bit by bit, whatever was solved before", repeats_itself},
    {"treats a state of two tensors as their concatenation", treats_a_pair_as_one_state},
    {"computes in float32", computes_in_float32},
    {"has a gradient that agrees with finite differences", has_the_gradient_of_differences},
    {"reaches its tolerance", reaches_its_tolerance},
    {"keeps samples apart", keeps_samples_apart},
};

}  // namespace
}  // namespace solvers

std::span<const Claim> solver_claims() {
  return solvers::kClaims;
}

}  // namespace unmask::conformance
