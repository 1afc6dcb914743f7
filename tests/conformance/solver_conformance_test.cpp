// What every method must keep under the driver: its order, its costs, the derivative of what it
// computes, and results that belong to samples and not to batches. Runs over all solvers in the
// plugin folders: the build tree's, and those that UNMASK_PLUGIN_PATH names. Of a method it uses
// what MethodTraits and the plugin's declarations say, and nothing else.

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <gtest/gtest.h>

#include "catalog/host_options.hpp"
#include "loader/folders.hpp"
#include "ode/driver.hpp"
#include "unmask/errors.hpp"
#include "unmask/plugin.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::test {
namespace {

using ode::DriverOptions;
using ode::SolveResult;
using Values = std::map<std::string, ParamValue>;
using Reals = std::vector<double>;

// --- which methods

// Values of the parameters that a plugin cannot do without. Whoever installs a method with such
// parameters adds them here.
const std::map<std::string, Values>& example_parameters() {
  static const std::map<std::string, Values> examples = {
      // Ralston's method of order 3.
      {"rk_tableau",
       {{"order", std::int64_t{3}},
        {"a", Reals{1.0 / 2, 0, 3.0 / 4}},
        {"b", Reals{2.0 / 9, 1.0 / 3, 4.0 / 9}}}},
      // Fehlberg 4(5): neither first same as last nor with a middle, as no other method here.
      {"rk_tableau_adaptive",
       {{"order", std::int64_t{4}},
        {"a",
         Reals{1.0 / 4,
               3.0 / 32,
               9.0 / 32,
               1932.0 / 2197,
               -7200.0 / 2197,
               7296.0 / 2197,
               439.0 / 216,
               -8.0,
               3680.0 / 513,
               -845.0 / 4104,
               -8.0 / 27,
               2.0,
               -3544.0 / 2565,
               1859.0 / 4104,
               -11.0 / 40}},
        {"b", Reals{25.0 / 216, 0, 1408.0 / 2565, 2197.0 / 4104, -1.0 / 5, 0}},
        {"b_embedded",
         Reals{16.0 / 135, 0, 6656.0 / 12825, 28561.0 / 56430, -9.0 / 50, 2.0 / 55}}}},
  };
  return examples;
}

// Library by id; an id that is there twice comes from the first folder, as for the host.
const std::map<std::string, std::filesystem::path>& solver_files() {
  static const std::map<std::string, std::filesystem::path> files = [] {
    std::map<std::string, std::filesystem::path> out;
    const std::string prefix = "solver_";
    const auto folders =
        loader::plugin_folders({},
                               std::getenv(loader::kPluginPathVariable),  // NOLINT: one thread
                               std::filesystem::path(UNMASK_BINARY_DIR) / "bin/unmask");
    for (const auto& file : loader::list_libraries(folders)) {
      const std::string stem = file.stem().string();
      if (stem.starts_with(prefix)) out.emplace(stem.substr(prefix.size()), file);
    }
    return out;
  }();
  return files;
}

// The library stays loaded until the process ends.
const PluginDescriptor& descriptor_of(const std::string& id) {
  const std::string file = solver_files().at(id).string();
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(::dlerror());
  const void* const symbol = ::dlsym(library, "unmask_plugin");
  if (symbol == nullptr) throw std::runtime_error(file + " has no symbol unmask_plugin");
  return *static_cast<const PluginHeader*>(symbol)->descriptor();
}

enum class Which { kAll, kAdaptive, kFixed };

std::vector<std::string> ids(Which which) {
  std::vector<std::string> out;
  for (const auto& [id, file] : solver_files()) {
    bool takes_part = true;  // a library that does not load fails in every test
    try {
      const bool is_adaptive = descriptor_of(id).info().capabilities.contains("adaptive");
      takes_part = which == Which::kAll || is_adaptive == (which == Which::kAdaptive);
    } catch (const std::exception&) {
      takes_part = true;
    }
    if (takes_part) out.push_back(id);
  }
  return out;
}

// --- solving

Tensor tensor(const Reals& values, std::int64_t columns) {
  return torch::tensor(values, torch::kDouble).reshape({-1, columns});
}

double distance(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

double relative_deviation(const Tensor& a, const Tensor& b) {
  return distance(a, b) / b.abs().max().item<double>();
}

// Methods and the driver's options for them, from the tables that manifests are read with.
class SolverConformance : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const PluginDescriptor& descriptor = descriptor_of(GetParam());
    const auto example = example_parameters().find(GetParam());
    const Params params(descriptor.info().params,
                        example == example_parameters().end() ? Values{} : example->second);
    method_.reset(static_cast<Method*>(descriptor.create(params, nullptr)));
    traits_ = method_->traits();
    table_ = catalog::host_options("solver", descriptor.info().capabilities);
  }

  DriverOptions options(Values given) const {
    return DriverOptions::from(Params(table_, std::move(given)), traits_);
  }

  // Steps of one size that end at the end, each of them starting with f there.
  Values steps_of(double size) const {
    if (!traits_.is_adaptive) return {{"step_size", size}};
    return {{"controller", std::string("constant")},
            {"first_step", size},
            {"end", std::string("clamp")},
            {"stale_fsal", false}};
  }

  // The steps that a user would get: by tolerance, or a quarter.
  Values usual_steps() const {
    if (!traits_.is_adaptive) return {{"step_size", 0.25}};
    return {{"rtol", 0.1}, {"atol", 0.1}};
  }

  SolveResult solve(const DriverOptions& o,
                    VectorField& field,
                    const State& y0,
                    const Reals& times = {0, 1}) const {
    SolveResult result = ode::solve(*method_, o, field, y0, times);
    if (result.status != ode::SolveStatus::kOk) {
      throw std::runtime_error(std::string(ode::to_string(result.status)) + " " + result.failure);
    }
    return result;
  }

  // Fields whose steps are solved by iteration come to this relative error and not to rounding.
  double solver_noise() const { return traits_.is_implicit ? 1e-9 : 0; }

  std::unique_ptr<Method> method_;
  MethodTraits traits_;
  std::vector<ParamSpec> table_;
};

class AdaptiveConformance : public SolverConformance {
 protected:
  // One of the combinations of control, end and step_gradient.
  static Values with(Values values, const char* control, const char* end, const char* rule) {
    values["control"] = std::string(control);
    values["end"] = std::string(end);
    values["step_gradient"] = std::string(rule);
    return values;
  }
};

class FixedConformance : public SolverConformance {};

constexpr const char* kControls[] = {"batch", "sample"};
constexpr const char* kEnds[] = {"interpolate", "clamp"};
constexpr const char* kStepGradients[] = {"full", "first_only", "none"};

// --- declarations

class SolverDeclaration : public testing::TestWithParam<std::string> {};

TEST_P(SolverDeclaration, IsASoundTable) {
  EXPECT_EQ(table_violation(descriptor_of(GetParam()).info().params), std::nullopt);
}

TEST_P(SolverDeclaration, HasAnExampleWhereParametersAreRequired) {
  for (const ParamSpec& spec : descriptor_of(GetParam()).info().params) {
    if (!spec.is_required()) continue;
    const auto example = example_parameters().find(GetParam());
    const bool is_given =
        example != example_parameters().end() && example->second.contains(spec.name);
    EXPECT_TRUE(is_given) << "parameter \"" << spec.name
                          << "\" is required: add a value to example_parameters() of this file";
  }
}

TEST_P(SolverConformance, ReadsEveryDeclaredParameter) {
  const PluginDescriptor& descriptor = descriptor_of(GetParam());
  const auto example = example_parameters().find(GetParam());
  const Params params(descriptor.info().params,
                      example == example_parameters().end() ? Values{} : example->second);
  const std::unique_ptr<Method> instance(static_cast<Method*>(descriptor.create(params, nullptr)));

  const std::vector<std::string> unread = params.unread();

  EXPECT_TRUE(unread.empty()) << unread.front();
}

TEST_P(SolverConformance, HasTraitsThatGoTogether) {
  EXPECT_GE(traits_.order, 1);
  EXPECT_EQ(traits_.is_adaptive,
            descriptor_of(GetParam()).info().capabilities.contains("adaptive"));
  EXPECT_EQ(traits_.is_adaptive, traits_.controller_order > 0);
  EXPECT_TRUE(traits_.is_implicit || traits_.stages > 0);
  EXPECT_GE(traits_.history, 0);
}

// --- order

// A rotation whose speed depends on the radius: nonlinear, so that no method gains an order that
// it only has on linear equations.
FunctionField rotor() {
  return {true, [](const Scalar&, const State& y) {
            const Tensor x = y[0].select(-1, 0);
            const Tensor v = y[0].select(-1, 1);
            const Tensor speed = 2.5 * (x * x + v * v);
            return State{torch::stack({speed * v, -speed * x}, -1)};
          }};
}

Tensor rotor_start() {
  return tensor({1, 0.5, -0.3, 0.9}, 2);
}

Tensor rotor_exact(const Tensor& y0, double t) {
  const Tensor x = y0.select(-1, 0);
  const Tensor v = y0.select(-1, 1);
  const Tensor angle = 2.5 * (x * x + v * v) * t;
  return torch::stack({x * torch::cos(angle) + v * torch::sin(angle),
                       v * torch::cos(angle) - x * torch::sin(angle)},
                      -1);
}

// The fast term dominates every derivative, so that the orders show at few steps.
constexpr double kDamping = 2;
constexpr double kFrequency = 7;

FunctionField driven() {
  return forced(kDamping, kFrequency);
}

Tensor driven_start() {
  return tensor({1, 0, -0.4, 0.7}, 2);
}

Tensor driven_exact(double t) {
  Reals out;
  for (const double y0 : {1.0, 0.0, -0.4, 0.7}) {
    out.push_back(forced_exact(y0, kDamping, kFrequency, t));
  }
  return tensor(out, 2);
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

// The next term of the error's expansion is worth 0.3 at these numbers of steps.
constexpr double kOrderWindow = 0.3;

TEST_P(SolverConformance, ShowsItsOrderOnAnOscillator) {
  FunctionField field = rotor();
  const double order = observed_order([&](int n) {
    return distance(solve(options(steps_of(1.0 / n)), field, {rotor_start()}).state[0],
                    rotor_exact(rotor_start(), 1));
  });
  EXPECT_NEAR(order, traits_.order, kOrderWindow);
}

TEST_P(SolverConformance, ShowsItsOrderOnAnEquationThatDependsOnTime) {
  FunctionField field = driven();
  const double order = observed_order([&](int n) {
    return distance(solve(options(steps_of(1.0 / n)), field, {driven_start()}).state[0],
                    driven_exact(1));
  });
  EXPECT_NEAR(order, traits_.order, kOrderWindow);
}

TEST_P(SolverConformance, ShowsItsOrderInReverseTime) {
  FunctionField field = driven();
  const double order = observed_order([&](int n) {
    return distance(solve(options(steps_of(1.0 / n)), field, {driven_exact(1)}, {1, 0}).state[0],
                    driven_start());
  });
  EXPECT_NEAR(order, traits_.order, kOrderWindow);
}

TEST_P(SolverConformance, IntegratesPolynomialsUpToItsOrderExactly) {
  for (int degree = 1; degree <= traits_.order; ++degree) {
    FunctionField field(false, [degree](const Scalar& t, const State& y) {
      return State{torch::full_like(y[0], degree * std::pow(t.value, degree - 1))};
    });
    // A multistep method makes steps from a full history, too.
    const double steps = traits_.history == 0 ? 1 : traits_.history + 4;

    const Tensor y = solve(options(steps_of(1 / steps)), field, {tensor({0}, 1)}).state[0];

    // Sums of weights up to 45 times values up to the order: some hundred eps.
    EXPECT_NEAR(y.item<double>(), 1, 1e-13 + solver_noise()) << "degree " << degree;
  }
}

TEST_P(SolverConformance, ReturnsToTheStartInReverseTime) {
  FunctionField field = driven();
  std::vector<Values> ways = {steps_of(1.0 / 32)};
  if (traits_.is_adaptive) {
    ways.push_back({{"rtol", 1e-5}, {"atol", 1e-5}, {"preset", std::string("clean")}});
  }
  for (const Values& way : ways) {
    const DriverOptions o = options(way);
    const Tensor there = solve(o, field, {driven_start()}).state[0];
    const Tensor back = solve(o, field, {there}, {1, 0}).state[0];

    // The error of the way out grows by exp(damping) on the way back, which adds one of the same
    // size. Ten: errors of another sign, steps at other places.
    const double error = distance(there, driven_exact(1));
    EXPECT_LT(distance(back, driven_start()), 10 * std::exp(kDamping) * error + 1e-12);
  }
}

// --- costs

// f(t0, y0) included: what a step costs that does not get it from the step before.
std::int64_t evaluations(const MethodTraits& traits) {
  return traits.is_fsal ? traits.stages + 1 : traits.stages;
}

TEST_P(FixedConformance, CostsWhatItsStagesSay) {
  FunctionField field = rotor();
  const auto count = [&](int steps) {
    return solve(options(steps_of(1.0 / steps)), field, {rotor_start()}).statistics.nfe;
  };
  const int first = 2 * traits_.history + 6;
  if (traits_.is_implicit) {
    EXPECT_GE(count(first), first);
    return;
  }
  // The start of a multistep method is its own affair.
  if (traits_.history > 0) {
    EXPECT_GE(count(first), first * traits_.stages);
  } else {
    EXPECT_EQ(count(first), first * traits_.stages + (traits_.is_fsal ? 1 : 0));
  }
  EXPECT_EQ(count(first + 5) - count(first), 5 * traits_.stages);
}

TEST_P(AdaptiveConformance, CostsWhatItsStagesSay) {
  FunctionField field = rotor();
  // Only a method that shows its stages has one that may be stale.
  const State f0 = field.evaluate({0, {}}, {rotor_start()});
  const bool shows_stages =
      !method_->step(field, {{0, {}}, {0.1, {}}, {0.1, {}}}, {rotor_start()}, f0).stages.empty();
  bool has_rejected = false;
  for (const bool is_first_given : {false, true}) {
    for (const bool is_stale : {false, true}) {
      for (const char* end : kEnds) {
        for (const char* control : kControls) {
          Values values = with({{"rtol", 1e-3}, {"atol", 1e-3}}, control, end, "none");
          values["stale_fsal"] = is_stale;
          if (is_first_given) values["first_step"] = 0.9;

          const ode::Statistics s =
              solve(options(values), field, {rotor_start().narrow(0, 0, 1)}).statistics;

          has_rejected |= s.rejected > 0;
          EXPECT_EQ(s.attempts, s.accepted + s.rejected);
          if (traits_.is_implicit) {
            EXPECT_GE(s.nfe, s.attempts);
            continue;
          }
          // f at the start, the choice of the first step, and every attempt. A step whose start
          // nobody has evaluated adds it; so does the end of the last one, which is interpolated.
          std::int64_t expected =
              1 + (is_first_given ? 0 : 1) + (evaluations(traits_) - 1) * s.attempts;
          if (!traits_.is_fsal && !(is_stale && shows_stages)) {
            expected += s.accepted - (std::string(end) == "clamp" ? 1 : 0);
          }
          EXPECT_EQ(s.nfe, expected) << "first step " << is_first_given << ", stale " << is_stale
                                     << ", " << end << ", " << control;
        }
      }
    }
  }
  EXPECT_TRUE(has_rejected);
}

// --- states of several tensors

TEST_P(SolverConformance, TreatsAPairAsTheConcatenatedState) {
  FunctionField whole = oscillator(3);
  FunctionField parts(true, [](const Scalar&, const State& s) {
    return State{3 * s[1], -3 * s[0]};
  });
  const DriverOptions o = options(steps_of(0.1));
  const Tensor y0 = rotor_start();

  const Tensor a = solve(o, whole, {y0}).state[0];
  const State b =
      solve(o, parts, {y0.narrow(1, 0, 1).contiguous(), y0.narrow(1, 1, 1).contiguous()}).state;

  // The same operations on every element, except in the norms of an iteration.
  EXPECT_LE(distance(a, torch::cat({b[0], b[1]}, 1)), solver_noise());
}

TEST_P(SolverConformance, TreatsATupleOfOneAsTheTensor) {
  FunctionField one = driven();
  FunctionField two(false, [](const Scalar& t, const State& s) {
    FunctionField each = driven();
    return State{each.evaluate(t, {s[0]})[0], each.evaluate(t, {s[1]})[0]};
  });
  const DriverOptions o = options(usual_steps());
  const Tensor y0 = driven_start();

  const SolveResult a = solve(o, one, {y0});
  const SolveResult b = solve(o, two, {y0, y0});

  // A component that repeats another adds nothing: the largest norm is that of one.
  EXPECT_LE(distance(a.state[0], b.state[0]), solver_noise());
  EXPECT_LE(distance(a.state[0], b.state[1]), solver_noise());
  EXPECT_EQ(a.statistics.attempts, b.statistics.attempts);
}

// --- dtypes

TEST_P(SolverConformance, DiffersInFloat32ByRounding) {
  FunctionField field = driven();
  // The same steps for both: rounding may choose others.
  DriverOptions o = options(usual_steps());
  const SolveResult exact = solve(o, field, {driven_start()});
  if (traits_.is_adaptive) {
    o = options({{"controller", std::string("replay")}, {"rtol", 0.1}, {"atol", 0.1}});
    o.schedule = std::make_shared<const ode::Schedule>(exact.schedule);
  }

  const Tensor rounded = solve(o, field, {driven_start().to(torch::kFloat)}).state[0];

  EXPECT_EQ(rounded.scalar_type(), torch::kFloat);
  // Every element of the sum over a step is off by eps: 6e-8 times sums of weights up to 50 times
  // |f| up to 6, over the whole interval. Iterations stop at 1e-6 of the state, at most twice a
  // step.
  const double allowance = traits_.is_implicit ? 4e-5 : 2e-5;
  EXPECT_LT(distance(rounded.to(torch::kDouble), exact.state[0]), allowance);
}

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

// --- skew-linear equations

// y' = z W, z' = -y W^T, which keeps |y|^2 + |z|^2.
const Tensor& skew_weight() {
  static const Tensor w = tensor({0.5, -1.0, 0.7, 0.3, -0.2, 0.9}, 2);
  return w;
}

FunctionField skew() {
  return {true, [](const Scalar&, const State& s) {
            return State{s[1].matmul(skew_weight()), -s[0].matmul(skew_weight().t())};
          }};
}

State skew_start() {
  return {tensor({1, 2}, 2), tensor({0.5, -1, 0.3}, 3)};
}

double squared_norm(const State& s) {
  return (s[0].square().sum() + s[1].square().sum()).item<double>();
}

TEST_P(SolverConformance, GainsTheKnownFactorOnASkewLinearPair) {
  FunctionField field = skew();
  const int steps = 8;
  const DriverOptions o = options(steps_of(1.0 / steps));
  const State start = skew_start();
  const double gained = squared_norm(solve(o, field, start).state);
  // Singular vectors turn the pair into rotations with the singular values as speeds; the third
  // direction of z stands still.
  const auto [u, s, v] = torch::linalg_svd(skew_weight().t(), /*full_matrices=*/false);
  const Tensor y = start[0].matmul(u);
  const Tensor z = start[1].matmul(v.t());
  double expected = start[1].square().sum().item<double>() - z.square().sum().item<double>();
  for (std::int64_t i = 0; i < s.size(0); ++i) {
    const double part = (y[0][i].square() + z[0][i].square()).item<double>();
    FunctionField rotation = oscillator(s[i].item<double>());
    // |R(ih)| from one step; a multistep method has none, and turns by its own way.
    const int turns = traits_.history == 0 ? 1 : steps;
    const Tensor once =
        solve(o, rotation, {tensor({1, 0}, 2)}, {0, turns / static_cast<double>(steps)}).state[0];
    const double gain = once.square().sum().item<double>();
    if (traits_.history == 0) {
      expected += part * std::pow(gain, steps);
    } else {
      expected += part * gain;
    }
  }
  // Eight steps of rounding and of an iteration's tolerance; the corrector of a multistep method
  // may stop at the size of its own error.
  const double iteration = traits_.history > 0 ? 1e-4 : 1e-7;
  EXPECT_NEAR(gained, expected, traits_.is_implicit ? iteration : 1e-12);
}

TEST_P(AdaptiveConformance, KeepsTheNormOfASkewLinearPairAtTightTolerance) {
  FunctionField field = skew();
  const double tolerance = 1e-6;
  Values values = {{"rtol", tolerance}, {"atol", tolerance}, {"preset", std::string("clean")}};

  const double kept = squared_norm(solve(options(values), field, skew_start()).state);

  // Local errors add up; an estimate may be some hundred times too small (Fehlberg's 2(1): 512).
  EXPECT_NEAR(kept / squared_norm(skew_start()), 1, 1000 * tolerance);
}

// --- controllers

TEST_P(AdaptiveConformance, ReachesItsToleranceUnderEveryController) {
  for (const char* controller : {"i", "pi", "pid"}) {
    for (const char* control : kControls) {
      const auto error = [&](double tolerance) {
        FunctionField field = driven();
        Values values = with({{"rtol", tolerance}, {"atol", tolerance}}, control, "clamp", "none");
        values["controller"] = std::string(controller);
        values["stale_fsal"] = false;
        return distance(solve(options(values), field, {driven_start()}).state[0], driven_exact(1));
      };
      const double loose = error(1e-5);
      const double tight = error(1e-7);
      // As above.
      EXPECT_LT(loose, 1000 * 1e-5) << controller << " " << control;
      EXPECT_LT(tight, 1000 * 1e-7) << controller << " " << control;
      // Errors follow the tolerance with a power of at least one half, unless they are below it.
      EXPECT_LT(tight, std::max(loose / 5, 1e-7)) << controller << " " << control;
    }
  }
}

// --- samples

// y' = t - y - 8 y^3, whose stiffness grows with y^2. Products and sums alone, which have the same
// bits wherever an element stands.
FunctionField elementwise() {
  return {false, [](const Scalar& t, const State& y) {
            return State{broadcast(t, y[0]) - y[0] - 8 * y[0] * y[0] * y[0]};
          }};
}

// Alone, together, in another order.
const std::vector<std::vector<std::int64_t>>& splits() {
  static const std::vector<std::vector<std::int64_t>> batches = {
      {4}, {0, 1}, {2, 3, 4, 5}, {5, 3, 1, 0, 2, 4}};
  return batches;
}

// Rows from gentle to stiff.
Tensor unequal_rows() {
  return tensor({0.01,
                 0.02,
                 -0.03,
                 2.0,
                 -1.0,
                 1.5,
                 0.0,
                 0.0,
                 0.0,
                 0.3,
                 -0.25,
                 0.1,
                 0.05,
                 3.0,
                 -0.6,
                 1.0,
                 -0.4,
                 0.02},
                3);
}

class Samples : public SolverConformance {
 protected:
  // Values and gradients of a batch's own readout, row by row.
  struct Rows {
    Tensor values;
    Tensor gradients;
    std::int64_t rejected = 0;
  };

  Rows run(const DriverOptions& o, const Tensor& rows) const {
    FunctionField field = elementwise();
    const Tensor y0 = rows.clone().requires_grad_(true);
    const SolveResult result = solve(o, field, {y0});
    const Tensor weights = torch::arange(1, rows.size(1) + 1, rows.options());
    const auto gradient = torch::autograd::grad({(result.state[0] * weights).sum()}, {y0})[0];
    return {result.state[0].detach(), gradient, result.statistics.rejected};
  }

  Tensor predict(const DriverOptions& o, const Tensor& rows) const {
    const at::NoGradGuard no_grad;
    FunctionField field = elementwise();
    return solve(o, field, {rows}).state[0];
  }

  // What is differentiated of a step sums over the elements of a sample, in an order of its own.
  static double gradient_allowance(const Tensor& rows) {
    return rows.scalar_type() == torch::kFloat ? 1e-3 : 1e-9;
  }

  void expect_rows_apart(const DriverOptions& o,
                         const Tensor& rows,
                         const std::vector<std::vector<std::int64_t>>& batches,
                         const std::string& name) const {
    const Rows whole = run(o, rows);
    const Tensor predictions = predict(o, rows);
    EXPECT_TRUE(torch::isfinite(whole.gradients).all().item<bool>()) << name;
    for (const auto& batch : batches) {
      const Tensor index = torch::tensor(batch, torch::kLong);
      const Rows part = run(o, rows.index_select(0, index));
      const std::string where = name + " batch of " + std::to_string(batch.size()) + " from row " +
                                std::to_string(batch.front());
      EXPECT_TRUE(
          torch::equal(predict(o, rows.index_select(0, index)), predictions.index_select(0, index)))
          << where;
      EXPECT_TRUE(torch::equal(part.values, whole.values.index_select(0, index))) << where;
      EXPECT_LE(relative_deviation(part.gradients, whole.gradients.index_select(0, index)),
                gradient_allowance(rows))
          << where;
    }
  }

  void expect_no_leak(const DriverOptions& o, const Tensor& rows, const std::string& name) const {
    FunctionField field = elementwise();
    const Tensor y0 = rows.clone().requires_grad_(true);
    const Tensor y1 = solve(o, field, {y0}).state[0];
    for (std::int64_t i = 0; i < rows.size(0); ++i) {
      Tensor gradient =
          torch::autograd::grad({y1[i].sum()}, {y0}, {}, /*retain_graph=*/true)[0].clone();
      EXPECT_TRUE(torch::isfinite(gradient).all().item<bool>()) << name << " row " << i;
      gradient[i].zero_();
      EXPECT_EQ(gradient.abs().max().item<double>(), 0) << name << " row " << i;
    }
  }
};

class AdaptiveSamples : public Samples {
 protected:
  using Check = std::function<void(const DriverOptions&, const Tensor&, const std::string&)>;

  static constexpr const char* kExtremeRules[] = {"full", "none"};

  void for_all_options(const Tensor& rows, const Values& more, const Check& check) const {
    for (const char* end : kEnds) {
      for (const char* rule : kExtremeRules) {
        Values values = more;
        values.insert({{"rtol", 1e-3},
                       {"atol", 1e-3},
                       {"control", std::string("sample")},
                       {"end", std::string(end)},
                       {"step_gradient", std::string(rule)}});
        check(options(values),
              rows,
              std::string(end) + " " + rule +
                  (rows.scalar_type() == torch::kFloat ? " float32" : " float64"));
      }
    }
  }

  // The third row overflows in the second stage of the first step.
  static Tensor overflowing_rows() {
    Tensor rows = unequal_rows();
    rows[2][0] = 3e4;
    return rows.to(torch::kFloat);
  }
};

class FixedSamples : public Samples {};

TEST_P(AdaptiveSamples, DoNotDependOnTheirBatch) {
  for (const auto type : {torch::kDouble, torch::kFloat}) {
    for_all_options(
        unequal_rows().to(type), {}, [&](const auto& o, const Tensor& rows, const auto& name) {
          expect_rows_apart(o, rows, splits(), name);
        });
  }
}

TEST_P(AdaptiveSamples, DoNotDependOnTheirBatchAfterRejectedAttempts) {
  for (const auto type : {torch::kDouble, torch::kFloat}) {
    for_all_options(unequal_rows().to(type),
                    {{"first_step", 0.5}},
                    [&](const auto& o, const Tensor& rows, const auto& name) {
                      EXPECT_GT(run(o, rows).rejected, 0) << name;
                      expect_rows_apart(o, rows, splits(), name);
                    });
  }
}

TEST_P(AdaptiveSamples, DoNotDependOnBatchMatesThatOverflow) {
  for_all_options(overflowing_rows(),
                  {{"first_step", 0.5}},
                  [&](const auto& o, const Tensor& rows, const auto& name) {
                    EXPECT_GT(run(o, rows).rejected, 0) << name;
                    expect_rows_apart(o, rows, {{0}, {2}, {4, 2, 1}}, name);
                  });
}

TEST_P(AdaptiveSamples, DoNotDependOnTheirBatchWhenTheyAreLarge) {
  // Sums over a sample are longer than any vector register or block.
  const Tensor i = torch::arange(3 * 3000, torch::kFloat);
  const Tensor rows = torch::sin(i * 0.37).reshape({3, 3000}) *
                      torch::tensor({1.0, 0.1, 3.0}, torch::kFloat).reshape({3, 1});
  for_all_options(rows, {}, [&](const auto& o, const Tensor& same, const auto& name) {
    expect_rows_apart(o, same, {{0}, {2, 1}}, name);
  });
}

TEST_P(AdaptiveSamples, HaveTheSameValuesWithAndWithoutGraph) {
  for (const auto type : {torch::kDouble, torch::kFloat}) {
    for (const char* control : kControls) {
      const Values values = {{"control", std::string(control)}};
      for_all_options(unequal_rows().to(type),
                      values,
                      [&](DriverOptions o, const Tensor& rows, const std::string& name) {
                        const Tensor predictions = predict(o, rows);
                        EXPECT_TRUE(torch::equal(run(o, rows).values, predictions))
                            << control << " " << name;
                        o.gradient = ode::GradientMode::kCheckpoint;
                        EXPECT_TRUE(torch::equal(run(o, rows).values, predictions))
                            << control << " " << name << " checkpoint";
                      });
    }
  }
}

TEST_P(AdaptiveSamples, LeakNoGradient) {
  for (const auto type : {torch::kDouble, torch::kFloat}) {
    for (const bool is_first_given : {false, true}) {
      for_all_options(unequal_rows().to(type),
                      is_first_given ? Values{{"first_step", 0.5}} : Values{},
                      [&](const auto& o, const Tensor& rows, const auto& name) {
                        expect_no_leak(o, rows, name);
                      });
    }
  }
}

TEST_P(AdaptiveSamples, LeakNoGradientFromWhatOverflows) {
  for_all_options(
      overflowing_rows(),
      {{"first_step", 0.5}},
      [&](const auto& o, const Tensor& rows, const auto& name) { expect_no_leak(o, rows, name); });
}

TEST_P(FixedSamples, DoNotDependOnTheirBatch) {
  for (const auto type : {torch::kDouble, torch::kFloat}) {
    // The stiffest row changes at a rate of 23 at first.
    const DriverOptions o = options({{"step_size", 1.0 / 64}});
    const Tensor rows = (unequal_rows() * 0.32).to(type);
    expect_rows_apart(o, rows, splits(), "");
    expect_no_leak(o, rows, "");
  }
}

// --- for every method

std::string id_of(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

const auto kAll = testing::ValuesIn(ids(Which::kAll));
const auto kAdaptive = testing::ValuesIn(ids(Which::kAdaptive));
const auto kFixed = testing::ValuesIn(ids(Which::kFixed));

INSTANTIATE_TEST_SUITE_P(Plugin, SolverDeclaration, kAll, id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, SolverConformance, kAll, id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, Adjoint, kAll, id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, AdaptiveConformance, kAdaptive, id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, AdaptiveGradients, kAdaptive, id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, AdaptiveAdjoint, kAdaptive, id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, AdaptiveSamples, kAdaptive, id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, FixedConformance, kFixed, id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, FixedGradients, kFixed, id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, FixedSamples, kFixed, id_of);

}  // namespace
}  // namespace unmask::test
