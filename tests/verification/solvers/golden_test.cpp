// Agreement with recorded runs of torchdiffeq 0.2.x: tests/data/golden/solvers.json, and the file
// that UNMASK_GOLDEN_SOLVERS names, if any, computed on the device that UNMASK_TEST_DEVICE names
// (the CPU). Which allowance holds where is written at each claim; it is the same on every device,
// since it speaks of rounding to the nearest number and not of an order of sums.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <torch/types.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "catalog/host_options.hpp"
#include "ode/driver.hpp"
#include "support/device.hpp"
#include "support/plugins.hpp"
#include "unmask/kit/ode/adams.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::test::golden_test {
namespace {

using nlohmann::json;

struct Case {
  json run;
  json problem;
  std::string preset = "torchdiffeq-0.2";
  std::string name() const { return run.at("id"); }
  bool is_double() const { return run.at("dtype") == "float64"; }
  bool is_adaptive() const { return run.at("kind") == "adaptive"; }
  at::ScalarType dtype() const { return is_double() ? at::kDouble : at::kFloat; }
  bool has_tuple() const { return problem.value("tuple", false); }
};

bool starts_with(const std::string& text, const std::string& head) {
  return text.rfind(head, 0) == 0;
}

const std::set<std::string> kKnownOptions = {
    "first_step", "min_step", "max_step", "safety", "ifactor", "dfactor", "step_t"};

// Why a run cannot be compared, or "".
std::string reason_to_skip(const Case& c) {
  const std::string method = c.run.at("method");
  if (!test::has_plugin("solver", method)) return "method " + method + " is not built";
  const std::string problem = c.run.at("problem");
  const bool known = problem == "decay" || problem == "oscillator" || problem == "lotka_volterra" ||
                     problem == "forced" || starts_with(problem, "mlp") ||
                     starts_with(problem, "pair");
  if (!known) return "problem " + problem + " is not known to this test";
  if (c.run.value("diverged", false)) return "the reference run diverged";
  const json options = c.run.value("options", json::object());
  for (const auto& [key, value] : options.items()) {
    if (!kKnownOptions.contains(key)) return "option " + key + " does not exist";
  }
  return "";
}

std::vector<Case> load(const std::string& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file);
  const json document = json::parse(in);
  std::vector<Case> cases;
  for (const json& run : document.at("cases")) {
    const std::string problem = run.at("problem");
    cases.push_back({run, document.at("problems").value(problem, json::object())});
  }
  return cases;
}

struct Golden {
  std::vector<Case> compared;
  std::vector<std::pair<std::string, std::string>> skipped;  // name, reason
};

const Golden& golden() {
  static const Golden instance = [] {
    std::vector<Case> all = load(UNMASK_TEST_DATA "/golden/solvers.json");
    if (const char* more = std::getenv("UNMASK_GOLDEN_SOLVERS"); more != nullptr && *more != 0) {
      for (Case& c : load(more)) all.push_back(std::move(c));
    }
    Golden golden;
    for (Case& c : all) {
      const std::string reason = reason_to_skip(c);
      if (reason.empty()) {
        golden.compared.push_back(std::move(c));
      } else {
        golden.skipped.emplace_back(c.name(), reason);
      }
    }
    return golden;
  }();
  return instance;
}

Tensor matrix(const json& rows, at::ScalarType dtype) {
  std::vector<double> values;
  std::vector<std::int64_t> shape;
  if (!rows.empty() && rows.front().is_array()) {
    shape = {static_cast<std::int64_t>(rows.size()),
             static_cast<std::int64_t>(rows.front().size())};
    for (const json& row : rows) {
      for (const json& value : row) values.push_back(value.get<double>());
    }
  } else {
    shape = {static_cast<std::int64_t>(rows.size())};
    for (const json& value : rows) values.push_back(value.get<double>());
  }
  return torch::tensor(values, torch::kDouble).reshape(shape).to(test::device(), dtype);
}

std::vector<double> flat(const Tensor& tensor) {
  const Tensor t = tensor.detach().to(torch::kCPU, torch::kDouble).contiguous();
  return {t.data_ptr<double>(), t.data_ptr<double>() + t.numel()};
}

std::vector<double> flat(const State& state) {
  std::vector<double> out;
  for (const Tensor& t : state) {
    for (const double v : flat(t)) out.push_back(v);
  }
  return out;
}

std::vector<double> flat_json(const json& value) {
  std::vector<double> out;
  if (value.is_array()) {
    for (const json& entry : value) {
      for (const double v : flat_json(entry)) out.push_back(v);
    }
  } else {
    out.push_back(value.get<double>());
  }
  return out;
}

// The rule of the preset.
const std::string kOfPreset;

enum class Differentiation { kNone, kDirect, kAdjoint };

struct Execution {
  ode::SolveResult result;
  std::vector<double> gradient;
  std::map<std::string, std::vector<double>> parameter_gradients;
};

// The order cap of the reference is 12, its weights are those of equal steps on every grid, and its
// corrector has the tolerances of the run.
std::unique_ptr<Method> make_method(const Case& c) {
  const std::string id = c.run.at("method");
  std::map<std::string, ParamValue> given;
  if (id == "explicit_adams" || id == "implicit_adams") {
    given["max_order"] = std::int64_t{12};
    given["spacing"] = std::string("equal");
  }
  if (id == "implicit_adams") {
    given["rtol"] = c.run.at("rtol").get<double>();
    given["atol"] = c.run.at("atol").get<double>();
    given["convergence"] = std::string("batch");
  }
  return test::make_plugin<Method>("solver", id, given);
}

int order_of(const Case& c) {
  return make_method(c)->traits().controller_order;
}

ode::DriverOptions driver_options(const Case& c,
                                  const MethodTraits& traits,
                                  const std::string& rule,
                                  Differentiation mode) {
  std::set<std::string> capabilities;
  if (traits.is_adaptive) capabilities.insert("adaptive");
  std::map<std::string, ParamValue> given;
  if (traits.is_adaptive) {
    given = {{"rtol", c.run.at("rtol").get<double>()},
             {"atol", c.run.at("atol").get<double>()},
             {"preset", c.preset}};
    if (rule != kOfPreset) given["step_gradient"] = rule;
    const std::map<std::string, std::string> names = {{"ifactor", "max_growth"},
                                                      {"dfactor", "min_growth"}};
    const json options = c.run.value("options", json::object());
    for (const auto& [key, value] : options.items()) {
      if (key == "step_t") {
        given["step_ends"] = value.get<std::vector<double>>();
      } else {
        given[names.contains(key) ? names.at(key) : key] = value.get<double>();
      }
    }
  } else if (!c.run.at("step_size").is_null()) {
    given["step_size"] = c.run.at("step_size").get<double>();
  }
  if (mode == Differentiation::kAdjoint) given["gradient"] = std::string("adjoint");
  return ode::DriverOptions::from(Params(catalog::host_options("solver", capabilities), given),
                                  traits);
}

Execution execute(const Case& c,
                  const std::string& rule,
                  Differentiation mode = Differentiation::kDirect) {
  const bool with_gradient = mode != Differentiation::kNone;
  const at::AutoGradMode grad_mode(with_gradient);
  const std::string problem = c.run.at("problem");
  const json& p = c.problem.at("params");
  std::map<std::string, Tensor> parameters;
  std::unique_ptr<VectorField> field;
  const auto parameter = [&](const char* name) {
    // The reference's adjoint solved for the state alone.
    Tensor tensor = matrix(p.at(name), c.dtype()).requires_grad_(mode == Differentiation::kDirect);
    parameters[name] = tensor;
    return tensor;
  };
  if (problem == "decay") {
    field = std::unique_ptr<VectorField>(new test::FunctionField(test::decay()));
  } else if (problem == "oscillator") {
    field = std::unique_ptr<VectorField>(new test::FunctionField(test::oscillator(p.at("w"))));
  } else if (problem == "lotka_volterra") {
    field = std::unique_ptr<VectorField>(
        new test::FunctionField(test::lotka_volterra(p.at("a"), p.at("b"), p.at("c"), p.at("d"))));
  } else if (problem == "forced") {
    field =
        std::unique_ptr<VectorField>(new test::FunctionField(test::forced(p.at("k"), p.at("m"))));
  } else if (starts_with(problem, "mlp")) {
    const Tensor w1 = parameter("W1");
    const Tensor b1 = parameter("b1");
    const Tensor w2 = parameter("W2");
    const Tensor b2 = parameter("b2");
    field = std::unique_ptr<VectorField>(new test::FunctionField(test::mlp(w1, b1, w2, b2)));
  } else {
    field = std::unique_ptr<VectorField>(new test::FunctionField(test::skew_pair(parameter("W"))));
  }
  State y0;
  const json& start = c.problem.at("y0");
  if (c.has_tuple()) {
    for (const json& part : start) y0.push_back(matrix(part, c.dtype()));
  } else {
    y0.push_back(matrix(start, c.dtype()));
  }
  for (Tensor& y : y0) y.requires_grad_(with_gradient);

  const auto method = make_method(c);
  ode::DriverOptions options = driver_options(c, method->traits(), rule, mode);
  options.log_limit = std::numeric_limits<std::size_t>::max();
  Execution run;
  run.result = ode::solve(*method, options, *field, y0, c.run.at("t").get<std::vector<double>>());
  if (!with_gradient || run.result.status != ode::SolveStatus::kOk) return run;
  Tensor total = run.result.state[0].sum();
  for (std::size_t i = 1; i < run.result.state.size(); ++i)
    total = total + run.result.state[i].sum();
  total.backward();
  for (const Tensor& y : y0) {
    for (const double v : flat(y.grad())) run.gradient.push_back(v);
  }
  if (mode == Differentiation::kAdjoint) return run;
  for (const auto& [name, tensor] : parameters) run.parameter_gradients[name] = flat(tensor.grad());
  return run;
}

double largest(const std::vector<double>& values) {
  double out = 0;
  for (const double v : values) out = std::max(out, std::abs(v));
  return out;
}

// Weights of Adams' explicit method alternate and grow with the order, up to 11 points here; a step
// adds rounding errors of f times h and the sum of their magnitudes.
double amplification(const Case& c) {
  if (c.run.at("method") != "explicit_adams") return 1;
  const auto steps = c.run.at("n_steps").get<int>();
  const std::vector<double> times = c.run.at("t");
  std::vector<double> earlier;
  for (int i = 1; i < std::min(steps, 11); ++i) earlier.push_back(-i);
  double sum = 0;
  for (const double w : kit::bashforth_weights(0, 1, earlier)) sum += std::abs(w);
  return std::max(1.0, sum * std::abs(times.back() - times.front()) / steps);
}

// The files' rule: relative to the largest magnitude, 1e-10 (float64) or 1e-5 (float32), plus 50
// times what a change of y0 by 4 machine epsilons makes.
double allowance(const Case& c, const std::vector<double>& expected, const char* jitter) {
  return (c.is_double() ? 1e-10 : 1e-5) * amplification(c) * largest(expected) +
         50 * c.run.at(jitter).get<double>();
}

void expect_close(const Case& c,
                  const std::vector<double>& actual,
                  const std::vector<double>& expected,
                  double allowed,
                  const char* what) {
  ASSERT_EQ(actual.size(), expected.size()) << c.name() << " " << what;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], allowed) << c.name() << " " << what << "[" << i << "]";
  }
}

// Rounding decides steps where the reference's own count moved under a change in the last place, or
// where an error ratio lies within 1e-3 of the threshold in float32.
// dopri8 chooses its steps from rounding noise in float32 at every tolerance.
bool has_stable_steps(const Case& c) {
  if (c.run.at("method") == "dopri8" && !c.is_double()) return false;
  return c.run.at("nfe_stable").get<bool>() &&
         (c.is_double() || c.run.value("margin", 1.0) >= 1e-3);
}

TEST(SolverGolden, EveryRunOfABuiltMethodIsCompared) {
  std::map<std::pair<std::string, std::string>, int> counts;
  for (const Case& c : golden().compared) ++counts[{c.run.at("method"), c.run.at("dtype")}];
  std::cout << "compared " << golden().compared.size() << " runs:\n";
  for (const auto& [key, count] : counts) {
    std::cout << "  " << key.first << " " << key.second << ": " << count << "\n";
  }
  std::cout << "skipped " << golden().skipped.size() << " runs:\n";
  for (const auto& [name, reason] : golden().skipped)
    std::cout << "  " << name << ": " << reason << "\n";

  // All 454 runs of the file.
  const std::map<std::string, int> expected = {{"euler", 16},
                                               {"midpoint", 16},
                                               {"heun2", 14},
                                               {"heun3", 14},
                                               {"rk4", 16},
                                               {"explicit_adams", 16},
                                               {"implicit_adams", 14},
                                               {"adaptive_heun", 27},
                                               {"fehlberg2", 20},
                                               {"bosh3", 27},
                                               {"dopri5", 27},
                                               {"dopri8", 20}};
  for (const auto& [method, count] : expected) {
    for (const char* dtype : {"float32", "float64"}) {
      EXPECT_GE((counts[{method, dtype}]), count) << method << " " << dtype;
    }
  }
  EXPECT_TRUE(golden().skipped.empty() || std::getenv("UNMASK_GOLDEN_SOLVERS") != nullptr);
}

TEST(SolverGolden, ValuesAgree) {
  for (const Case& c : golden().compared) {
    const Execution run = execute(c, "none", Differentiation::kNone);

    const std::vector<double> y1 = flat_json(c.run.at("y1"));
    ASSERT_EQ(run.result.status, ode::SolveStatus::kOk) << c.name();
    expect_close(c, flat(run.result.state), y1, allowance(c, y1, "jitter_y1"), "y1");
  }
}

TEST(SolverGolden, ValuesAtInnerTimesAgree) {
  int compared = 0;
  for (const Case& c : golden().compared) {
    if (!c.run.contains("y")) continue;
    const Execution run = execute(c, "none", Differentiation::kNone);

    std::vector<double> actual;
    for (const State& state : run.result.outputs) {
      for (const double v : flat(state)) actual.push_back(v);
    }
    const std::vector<double> expected = flat_json(c.run.at("y"));
    // jitter_y1 speaks of the last time only; the inner ones, with shorter histories, are no more
    // sensitive.
    expect_close(c, actual, expected, allowance(c, expected, "jitter_y1"), "y");
    ++compared;
  }
  EXPECT_GE(compared, 10);
}

TEST(SolverGolden, EvaluationsAndDecisionsAgree) {
  for (const Case& c : golden().compared) {
    if (!has_stable_steps(c)) continue;
    const ode::Statistics s = execute(c, "none", Differentiation::kNone).result.statistics;

    EXPECT_EQ(s.nfe, c.run.at("nfe").get<std::int64_t>()) << c.name();
    if (!c.is_adaptive()) {
      EXPECT_EQ(s.accepted, c.run.at("n_steps").get<std::int64_t>()) << c.name();
      EXPECT_EQ(s.unconverged, c.run.value("corrector_failures", std::int64_t{0})) << c.name();
      continue;
    }
    EXPECT_EQ(s.accepted, c.run.at("accepted").get<std::int64_t>()) << c.name();
    EXPECT_EQ(s.rejected, c.run.at("rejected").get<std::int64_t>()) << c.name();
  }
}

TEST(SolverGolden, StepLogsAgree) {
  for (const Case& c : golden().compared) {
    if (!c.is_adaptive() || !has_stable_steps(c)) continue;
    const Execution run = execute(c, "none", Differentiation::kNone);

    const json& steps = c.run.at("steps");
    const auto& log = run.result.statistics.log;
    ASSERT_EQ(log.size(), steps.size()) << c.name();
    // An error ratio is a difference of numbers of the size of y, divided by the tolerance: its
    // rounding error is about eps |y| / tol; 100 covers the stage sums. Through h = c ratio^(-1/p)
    // it becomes a relative error of the next step, and that, to the power p, one of the next
    // ratio.
    const double eps = c.is_double() ? 2.3e-16 : 1.2e-7;
    const double size = 1 + largest(flat_json(c.run.at("y1")));
    const double ratio_error = 100 * eps * size / c.run.at("atol").get<double>();
    const double order = order_of(c);
    double h_error = 100 * eps;  // relative
    double t_error = 100 * eps;
    for (std::size_t i = 0; i < log.size(); ++i) {
      const double h = steps[i][1].get<double>();
      const double ratio = steps[i][2].get<double>();
      EXPECT_NEAR(log[i].t, steps[i][0].get<double>(), t_error) << c.name() << " step " << i;
      EXPECT_NEAR(std::abs(log[i].h), h, h_error * h) << c.name() << " step " << i;
      EXPECT_NEAR(log[i].error_ratio, ratio, ratio_error + order * h_error * ratio)
          << c.name() << " step " << i;
      EXPECT_EQ(log[i].accepted, steps[i][3].get<int>() == 1) << c.name() << " step " << i;
      t_error += h * h_error;
      h_error += std::min(1.0, ratio_error / ratio) / order;
    }
  }
}

// The controller's formula has branches, and its derivative jumps between them: below the first
// bound the factor is max_growth, from the second to 1 it is 1, from the last it is min_growth.
std::vector<double> branch_bounds(const Case& c) {
  const json options = c.run.value("options", json::object());
  const double safety = options.value("safety", 0.9);
  const double order = order_of(c);
  return {std::pow(safety / options.value("ifactor", 10.0), order),
          std::pow(safety, order),
          1.0,
          std::pow(safety / options.value("dfactor", 0.2), order)};
}

// False where rounding sent an attempt of this run into another branch than the reference's: then
// the two grad_full are derivatives of different formulas.
bool takes_the_reference_branches(const Case& c, const ode::SolveResult& result) {
  const json& steps = c.run.at("steps");
  if (result.statistics.log.size() != steps.size()) return false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (const double bound : branch_bounds(c)) {
      if ((steps[i][2].get<double>() < bound) != (result.statistics.log[i].error_ratio < bound))
        return false;
    }
  }
  return true;
}

// Leaky ReLU: the error of a step over a kink depends on which stages lie beyond it. At tolerance
// 1e-6 in float32 that is decided by rounding, and with it the derivative of the error ratio: the
// ratios of such steps differ by percents between the reference's float32 and float64 runs.
bool has_kinks(const Case& c) {
  return starts_with(c.run.at("problem"), "pair");
}

// grad_full contains the derivatives of the error ratios r. A ratio is a difference of numbers of
// the size of y over the tolerance, so its relative rounding error is about eps |y| / (tol r),
// large where a ratio is small; those of all steps add up, and the sum acts on the part of the
// gradient that comes through the steps, grad_full - grad_const. The reference's own float32 and
// float64 runs differ by up to a twentieth of this bound, and by 0.7 percent where no ratio is
// small; a fifth and one percent are allowed.
double room_of_steps(const Case& c, const std::vector<double>& expected) {
  const double eps = c.is_double() ? 2.3e-16 : 1.2e-7;
  // Magnitudes of the weights of a stage add up to 74 in dopri8, and cancel.
  const double cancellation = c.run.at("method") == "dopri8" ? 74 : 1;
  const double size = cancellation * (1 + largest(flat_json(c.run.at("y1"))));
  double noise = 0;
  for (const json& step : c.run.at("steps")) {
    const double ratio = step[2].get<double>();
    if (ratio > branch_bounds(c).front()) {
      noise += eps * size / (c.run.at("atol").get<double>() * ratio);
    }
  }
  const std::vector<double> constant = flat_json(c.run.at("grad_const"));
  double through_steps = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    through_steps = std::max(through_steps, std::abs(expected[i] - constant[i]));
  }
  return std::min(1.0, 0.2 * noise + (c.is_double() ? 0 : 0.01)) * through_steps;
}

void expect_gradient(const char* rule, const char* field) {
  const bool is_full = std::string(rule) == "full";
  int compared = 0;
  double worst = 0;
  std::string worst_name;
  for (const Case& c : golden().compared) {
    if (!c.run.contains(field)) continue;
    const Execution run = execute(c, rule);
    // Of dopri8 in float64 too: its 60 steps over kinks at 1e-6 have ratios near every bound.
    const bool is_fine = c.is_double() && c.run.at("method") != "dopri8";
    const bool at_rounding_level =
        has_kinks(c) && !is_fine && c.run.at("atol").get<double>() <= 1e-6;
    if (is_full && (at_rounding_level || !takes_the_reference_branches(c, run.result))) {
      EXPECT_FALSE(c.is_double() && !at_rounding_level) << c.name();
      std::cout << field << " of " << c.name() << " not compared: rounding decides a branch of "
                << (at_rounding_level ? "the field" : "the controller") << "\n";
      continue;
    }

    const std::vector<double> expected = flat_json(c.run.at(field));
    double allowed = allowance(c, expected, "jitter_grad");
    if (is_full) allowed += room_of_steps(c, expected);
    expect_close(c, run.gradient, expected, allowed, field);
    ++compared;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double use = std::abs(run.gradient[i] - expected[i]) / allowed;
      if (use > worst) {
        worst = use;
        worst_name = c.name();
      }
    }
  }
  std::cout << field << ": compared " << compared << ", largest use of the allowance " << worst
            << " (" << worst_name << ")\n";
  // 104 adaptive runs, of which a few float32 ones at 1e-6 take other branches.
  EXPECT_GE(compared, 95);
}

TEST(SolverGolden, GradientsWithDifferentiatedFirstStepAgree) {
  expect_gradient("first_only", "grad");
}

TEST(SolverGolden, GradientsWithConstantStepsAgree) {
  expect_gradient("none", "grad_const");
}

TEST(SolverGolden, GradientsWithDifferentiatedStepsAgree) {
  expect_gradient("full", "grad_full");
}

TEST(SolverGolden, ParameterGradientsAgree) {
  int compared = 0;
  for (const Case& c : golden().compared) {
    if (!c.run.contains("grad_params")) continue;
    const Execution run = execute(c, "first_only");

    for (const auto& [name, value] : c.run.at("grad_params").items()) {
      const std::vector<double> expected = flat_json(value);
      expect_close(c,
                   run.parameter_gradients.at(name),
                   expected,
                   allowance(c, expected, "jitter_grad"),
                   ("grad " + name).c_str());
    }
    ++compared;
  }
  EXPECT_GE(compared, 20);
}

// Runs of torchdiffeq 0.0.1 under the preset that is named after it: everything about a run at
// once.
TEST(SolverGolden, RunsOfTheVersionOfThePaperAgree) {
  int compared = 0;
  for (Case& c : load(UNMASK_TEST_DATA "/golden/solvers-0.0.1.json")) {
    c.preset = "torchdiffeq-0.0.1";
    ASSERT_EQ(reason_to_skip(c), "") << c.name();
    const Execution run = execute(c, kOfPreset);

    ASSERT_EQ(run.result.status, ode::SolveStatus::kOk) << c.name();
    const std::vector<double> y1 = flat_json(c.run.at("y1"));
    expect_close(c, flat(run.result.state), y1, allowance(c, y1, "jitter_y1"), "y1");
    const ode::Statistics& s = run.result.statistics;
    EXPECT_EQ(s.nfe, c.run.at("nfe").get<std::int64_t>()) << c.name();
    const std::vector<double> gradient = flat_json(c.run.at("grad"));
    double allowed = allowance(c, gradient, "jitter_grad");
    if (c.is_adaptive()) {
      EXPECT_EQ(s.accepted, c.run.at("accepted").get<std::int64_t>()) << c.name();
      EXPECT_EQ(s.rejected, c.run.at("rejected").get<std::int64_t>()) << c.name();
      ASSERT_EQ(s.log.size(), c.run.at("steps").size()) << c.name();
      // How much of the gradient comes through the steps is not recorded: all of it may.
      json all = c.run;
      all["grad_const"] = std::vector<double>(gradient.size(), 0.0);
      allowed += room_of_steps({all, c.problem, c.preset}, gradient);
    }
    expect_close(c, run.gradient, gradient, allowed, "grad");
    ++compared;
  }
  std::cout << "torchdiffeq 0.0.1: compared " << compared << " runs\n";
  EXPECT_EQ(compared, 105);
}

// The adjoint solves backwards by the same method: its own evaluations agree as well.
TEST(SolverGolden, AdjointGradientsAgree) {
  int compared = 0;
  for (const Case& c : golden().compared) {
    if (!c.run.contains("grad_adjoint")) continue;
    const Execution run = execute(c, "first_only", Differentiation::kAdjoint);
    const std::vector<double> expected = flat_json(c.run.at("grad_adjoint"));

    // A step log of the backward solve does not exist: in float32 its steps are noise where those
    // of the forward solve are, and at 1e-6.
    const bool has_stable_backward = c.is_double() || !c.is_adaptive() ||
                                     (has_stable_steps(c) && c.run.at("atol").get<double>() > 1e-6);
    const std::string method = c.run.at("method");
    if (!c.is_double() && method == "dopri8") {
      std::cout << "grad_adjoint of " << c.name() << " not compared: steps from rounding noise\n";
      continue;
    }
    expect_close(c, run.gradient, expected, allowance(c, expected, "jitter_grad"), "grad_adjoint");
    if (has_stable_backward) {
      EXPECT_EQ(run.result.backward->nfe, c.run.at("nfe_backward").get<std::int64_t>()) << c.name();
    }
    ++compared;
  }
  std::cout << "grad_adjoint: compared " << compared << "\n";
  EXPECT_GE(compared, 428);  // 448 have one; 20 are dopri8 in float32
}

}  // namespace
}  // namespace unmask::test::golden_test
