// What each gradient rule is the gradient of, in numbers: four smooth problems in float64, two
// methods, two tolerances, preset torchdiffeq-0.2. Prints the two tables of docs/solvers.md:
//
//   1. relative deviation of the input gradient from central differences of the computed map
//   2. the same from the derivative of the exact flow
//
// Deviation: max |a - b| / max |b| over the elements. The loss weighs the elements of y(1) with
// 1, 2, 3, ...

#include <cstdint>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "ode/driver.hpp"
#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::bench {
namespace {

using namespace unmask::ode;

struct Problem {
  const char* name;
  test::FunctionField field;
  Tensor start;
};

std::vector<std::unique_ptr<Problem>> smooth_problems() {
  const auto row = [](double a, double b) { return torch::tensor({{a, b}}, torch::kDouble); };
  std::vector<std::unique_ptr<Problem>> out;
  out.push_back(std::unique_ptr<Problem>(
      new Problem{"mlp",
                  test::small_mlp(),
                  torch::tensor({{0.5, -0.2, 1.0}, {-1.0, 0.7, 0.1}}, torch::kDouble)}));
  out.push_back(std::unique_ptr<Problem>(new Problem{"forced", test::forced(2, 5), row(1, 0.3)}));
  out.push_back(
      std::unique_ptr<Problem>(new Problem{"oscillator", test::oscillator(3), row(1, 0.5)}));
  out.push_back(std::unique_ptr<Problem>(
      new Problem{"lotka_volterra", test::lotka_volterra(1.5, 1, 3, 1), row(1, 1)}));
  return out;
}

struct Rule {
  const char* name;
  GradientMode mode;
  StepGradient steps;
};

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {
      {"full", GradientMode::kDirect, StepGradient::kFull},
      {"first_only", GradientMode::kDirect, StepGradient::kFirstOnly},
      {"none", GradientMode::kDirect, StepGradient::kNone},
      {"replay", GradientMode::kReplay, StepGradient::kNone},
      {"adjoint", GradientMode::kAdjoint, StepGradient::kNone},
      {"interpolated", GradientMode::kInterpolated, StepGradient::kNone},
  };
  return all;
}

DriverOptions adaptive(double tolerance, const Rule& rule) {
  DriverOptions options;
  options.is_adaptive = true;
  options.rtol = options.atol = tolerance;
  options.gradient = rule.mode;
  options.step_gradient = rule.steps;
  return options;
}

using Map = std::function<Tensor(const Tensor&)>;  // start -> loss

Map map_of(Method& method, const DriverOptions& options, VectorField& field) {
  return [&method, options, &field](const Tensor& start) {
    const SolveResult result = solve(method, options, field, {start}, {0, 1});
    UNMASK_CHECK(result.status == SolveStatus::kOk, "every problem of this bench is solved");
    const Tensor& y = result.state.front();
    const Tensor weights = torch::arange(1, y.numel() + 1, torch::kDouble).reshape(y.sizes());
    return (y * weights).sum();
  };
}

Tensor gradient(const Map& map, const Tensor& start) {
  const Tensor leaf = start.clone().requires_grad_(true);
  return torch::autograd::grad({map(leaf)}, {leaf})[0];
}

Tensor central_differences(const Map& map, const Tensor& start) {
  const at::NoGradGuard no_grad;
  const double d = 1e-5;
  const Tensor out = torch::zeros_like(start).reshape({-1});
  for (std::int64_t i = 0; i < start.numel(); ++i) {
    const Tensor up = start.clone();
    const Tensor down = start.clone();
    up.view({-1})[i] += d;
    down.view({-1})[i] -= d;
    out[i] = (map(up) - map(down)) / (2 * d);
  }
  return out.reshape(start.sizes());
}

std::string deviation(const Tensor& a, const Tensor& b) {
  std::ostringstream text;
  text << std::scientific << std::setprecision(1)
       << ((a - b).abs().max() / b.abs().max()).item<double>();
  return text.str();
}

void print_header() {
  std::cout << "| method | tolerance | problem | steps |";
  for (const Rule& rule : rules()) std::cout << " `" << rule.name << "` |";
  std::cout << "\n|---|---|---|---|";
  for (std::size_t i = 0; i < rules().size(); ++i) std::cout << "---|";
  std::cout << "\n";
}

// One row per method, tolerance and problem; `truth` is what the gradients are compared with.
void print_table(const std::function<Tensor(Method&, const DriverOptions&, Problem&)>& truth) {
  print_header();
  for (const char* id : {"bosh3", "dopri5"}) {
    const auto method = test::make_plugin<Method>("solver", id);
    for (const double tolerance : {0.1, 1e-3}) {
      for (const auto& problem : smooth_problems()) {
        const DriverOptions plain = adaptive(tolerance, rules()[2]);
        const Tensor expected = truth(*method, plain, *problem);
        const Statistics counts =
            solve(*method, plain, problem->field, {problem->start}, {0, 1}).statistics;
        std::cout << "| `" << id << "` | " << tolerance << " | " << problem->name << " | "
                  << counts.accepted << " + " << counts.rejected << " |";
        for (const Rule& rule : rules()) {
          const Map map = map_of(*method, adaptive(tolerance, rule), problem->field);
          std::cout << " " << deviation(gradient(map, problem->start), expected) << " |";
        }
        std::cout << "\n";
      }
    }
  }
}

void run() {
  print_table([](Method& method, const DriverOptions& options, Problem& problem) {
    return central_differences(map_of(method, options, problem.field), problem.start);
  });
  std::cout << "\n";
  print_table([](Method&, const DriverOptions&, Problem& problem) {
    // Steps this short leave nothing of the method: errors of 1e-11.
    const auto fine = test::make_plugin<Method>("solver", "dopri5");
    DriverOptions options = adaptive(1e-12, rules()[2]);
    options.end = EndRule::kClamp;
    return gradient(map_of(*fine, options, problem.field), problem.start);
  });
}

}  // namespace
}  // namespace unmask::bench

int main() {
  try {
    unmask::bench::run();
  } catch (const std::exception& error) {
    std::cerr << "gradient_rules: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
