#include "engine/probe_evaluation.hpp"

#include <cmath>
#include <map>
#include <set>
#include <stdexcept>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "unit/engine/evaluation_case.hpp"
#include "unit/engine/tiny_model.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::probe_evaluation_test {
namespace {

// The linear model behind one Euler step of dy/dt = y^2 / 2; batches of three.
wire::CellResult evaluate(Probe& probe, std::vector<NamedSolver> gradients = {}) {
  LinearModel model(difference_weight(), /*has_ode=*/!gradients.empty());
  const EvaluationCase set;
  EvaluationInput input = set.input(model);
  input.method_batch = 3;
  input.epsilon = 0;
  input.named_gradients = std::move(gradients);
  return run_probe(input, probe);
}

class MeanProbe final : public Probe {
 public:
  std::vector<ProbeValue> measure(Target&, const Tensor& x, const Tensor&, ProbeContext&) override {
    return {{"mean", x.flatten(1).mean(1)},
            {"odd",
             at::where(x.flatten(1).select(1, 0) > 0.5,
                       x.flatten(1).select(1, 0),
                       at::full({x.size(0)}, std::nanf("")))}};
  }
};

TEST(EvaluateProbe, StoresValuesAndTheirSummary) {
  MeanProbe probe;

  const auto result = evaluate(probe);

  EXPECT_EQ(result.sample_metrics.size(), 8u);
  EXPECT_NEAR(metric(result, "mean.mean"), 0.5, 1e-7);
  EXPECT_EQ(metric(result, "odd.not_finite"), 0.75);
  EXPECT_NEAR(metric(result, "odd.max"), 0.7, 1e-7);
}

// First pixels 0.7, 0.4, 0.2, 0.45: the middle of an even count lies between the two in the middle.
class FirstPixel final : public Probe {
 public:
  std::vector<ProbeValue> measure(Target&, const Tensor& x, const Tensor&, ProbeContext&) override {
    return {{"pixel", x.flatten(1).select(1, 0)}};
  }
};

TEST(EvaluateProbe, TheMedianOfAnEvenCountIsTheMeanOfTheTwoInTheMiddle) {
  FirstPixel probe;

  EXPECT_NEAR(metric(evaluate(probe), "pixel.median"), 0.425, 1e-7);
}

// d(logit 0)/d(pixel 0) through one step or two: 1 + x, and (1 + x/2)(1 + x/2 + x^2/8).
class Slopes final : public Probe {
 public:
  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor&,
                                  ProbeContext& context) override {
    const auto slope = [&](Target& through) {
      const auto first = [](const Tensor& logits) { return logits.select(1, 0); };
      return through.loss_and_gradient(x, first).gradient.flatten(1).select(1, 0);
    };
    std::vector<ProbeValue> values = {{"own", slope(target)}};
    for (const NamedGradient& gradient : context.gradients()) {
      values.push_back({gradient.name, slope(*gradient.target)});
    }
    for (std::int64_t i = 0; i < x.size(0); ++i) {
      context.series.push_back({"row", x[i].flatten(), i});
    }
    if (context.samples().front() == 0) context.series.push_back({"once", x.flatten()});
    return values;
  }
};

TEST(EvaluateProbe, HandsOverTheGradientSolversByTheirNames) {
  SolverSetup two_steps = make_setup(false);
  two_steps.options.step_size = 0.5;
  Slopes probe;

  const auto result = evaluate(probe, {{"one", make_setup(false)}, {"two", two_steps}});

  const double x = 0.7;
  const auto value = [&](const std::string& name) {
    for (const wire::SampleMetric& m : result.sample_metrics) {
      if (m.sample == 0 && m.name == name) return m.value;
    }
    return std::nan("");
  };
  EXPECT_NEAR(value("own"), 1 + x, 1e-6);
  EXPECT_NEAR(value("one"), 1 + x, 1e-6);
  EXPECT_NEAR(value("two"), (1 + x / 2) * (1 + x / 2 + x * x / 8), 1e-6);
  std::set<std::string> phases;
  for (const wire::SolveStats& stats : result.solve_stats) phases.insert(stats.phase);
  EXPECT_TRUE(phases.contains("gradient.two"));
}

TEST(EvaluateProbe, StoresSeriesOfRowsUnderTheirSamples) {
  Slopes probe;

  const auto result = evaluate(probe, {});

  std::map<std::string, std::vector<double>> series;
  for (const wire::Series& s : result.series) series[s.name] = s.values;
  ASSERT_EQ(series.size(), 5u);
  ASSERT_EQ(series.at("row.3").size(), 2u);
  EXPECT_NEAR(series.at("row.3")[1], 0.55, 1e-7);
  EXPECT_EQ(series.at("once").size(), 6u);
}

// Every logit is less half the mean over the batch, times `leak`.
class Leaking final : public Model {
 public:
  explicit Leaking(double leak) : leak_(leak) {}
  Tensor forward(const Tensor& x, OdeContext&) override {
    const Tensor z = 2 * x.flatten(1);
    return z - leak_ * z.mean(0, /*keepdim=*/true) / 2;
  }
  std::vector<NamedTensor> parameters() override { return {}; }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool) override {}
  void to(const std::string&, at::ScalarType) override {}

 private:
  double leak_;
};

class IsIndependent final : public Probe {
 public:
  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor&,
                                  ProbeContext& context) override {
    const auto column = [&x](const Target& asked) {
      return at::full({x.size(0)}, asked.is_batch_independent() ? 1.0 : 0.0, at::kDouble);
    };
    return {{"own", column(target)}, {"named", column(*context.gradients().at(0).target)}};
  }
};

// No solver couples here: the network does it by itself.
TEST(EvaluateProbe, TellsProbesOfANetworkThatMixesItsSamples) {
  for (const double leak : {0.0, 1.0}) {
    Leaking model(leak);
    const EvaluationCase set;
    EvaluationInput input = set.input(model);
    input.named_gradients = {{"same", make_setup(false)}};
    IsIndependent probe;

    const wire::CellResult result = run_probe(input, probe);

    EXPECT_EQ(metric(result, "batch_coupled"), leak);
    EXPECT_EQ(metric(result, "own.max"), 1 - leak);
    EXPECT_EQ(metric(result, "named.max"), 1 - leak);
    // Five passes of the four images, and each alone; the probe itself asks nothing.
    EXPECT_EQ(result.counters.forwards, 5 * 4 + 4);
  }
}

class Steps final : public Probe {
 public:
  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor&,
                                  ProbeContext& context) override {
    const auto steps = [&x](Target& network) {
      network.loss_and_gradient(x, [](const Tensor& logits) { return logits.select(1, 0); });
      const auto* solver = dynamic_cast<const SolverSteps*>(&network);
      return at::full({x.size(0)},
                      solver == nullptr ? -1.0 : static_cast<double>(solver->accepted_steps()),
                      at::kDouble);
    };
    std::vector<ProbeValue> values = {{"own", steps(target)}};
    for (const NamedGradient& other : context.gradients()) {
      values.push_back({other.name, steps(*other.target)});
    }
    return values;
  }
};

// The last pass of a named gradient is the answer, under the solver of the cell.
TEST(EvaluateProbe, TellsTheStepsOfTheLastPass) {
  SolverSetup two_steps = make_setup(false);
  two_steps.options.step_size = 0.5;
  Steps probe;

  EXPECT_EQ(metric(evaluate(probe), "own.max"), 0);
  const auto result = evaluate(probe, {{"two", two_steps}});
  EXPECT_EQ(metric(result, "own.min"), 1);
  EXPECT_EQ(metric(result, "own.max"), 1);
  EXPECT_EQ(metric(result, "two.max"), 1);
}

class Repeating final : public Probe {
 public:
  std::vector<ProbeValue> measure(Target&,
                                  const Tensor& x,
                                  const Tensor&,
                                  ProbeContext& context) override {
    context.series.push_back({"again", x.flatten()});
    return {};
  }
};

TEST(EvaluateProbe, ASeriesOfTheCellIsNoTwoBatchesBusiness) {
  Repeating probe;

  EXPECT_THROW(evaluate(probe), std::runtime_error);
}

TEST(ProbeContext, SaysWhichGradientsThereAreWhenOneIsMissing) {
  const ProbeContext context(SampleRandom(1, {0}), {0}, {{"rk4", nullptr}, {"tight", nullptr}});

  try {
    context.gradient("frozen");
    FAIL() << "a gradient solver that nobody named was found";
  } catch (const ParamError& error) {
    EXPECT_STREQ(error.what(),
                 "this probe needs the gradient solver \"frozen\"; its definition names \"rk4\", "
                 "\"tight\" under \"gradients\"");
  }
}

}  // namespace
}  // namespace unmask::engine::probe_evaluation_test
