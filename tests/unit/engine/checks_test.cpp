// The checks of a verdict, each on a model that has the trouble and on one that has not.

#include "engine/checks.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/engine/evaluation_case.hpp"
#include "unit/engine/tiny_model.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::checks_test {
namespace {

using testing::ElementsAre;

// The linear model of two classes with something done to its logits.
class Troubled final : public Model {
 public:
  using Trouble = std::function<Tensor(const Tensor& logits, const Tensor& x)>;
  explicit Troubled(Trouble trouble, bool has_ode = false)
      : linear_(difference_weight(), has_ode), trouble_(std::move(trouble)) {}

  Tensor forward(const Tensor& x, OdeContext& ode) override {
    return trouble_(linear_.forward(x, ode), x);
  }
  std::vector<NamedTensor> parameters() override { return linear_.parameters(); }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool training) override { linear_.set_training(training); }
  void to(const std::string&, at::ScalarType) override {}

 private:
  LinearModel linear_;
  Trouble trouble_;
};

Tensor as_it_is(const Tensor& logits, const Tensor&) {
  return logits;
}

Tensor ask_once(Target& target, const Tensor& x, const Tensor& y, const Threat&) {
  target.loss_and_gradient(x, y, Loss::kMargin);
  return x;
}

Tensor ask_nothing(Target&, const Tensor& x, const Tensor&, const Threat&) {
  return x;
}

wire::CellResult evaluate(Model& model,
                          Attack& attack,
                          bool has_checks = true,
                          bool is_adaptive = false) {
  EvaluationCase set;
  set.solver = make_setup(is_adaptive);
  EvaluationInput input = set.input(model);
  input.batch_size = 3;
  input.has_checks = has_checks;
  return run_attack(input, attack);
}

wire::CellResult evaluate(const Troubled::Trouble& trouble,
                          const FunctionAttack::Function& attack = ask_once) {
  Troubled model(trouble);
  FunctionAttack function(attack);
  return evaluate(model, function);
}

TEST(Checks, ASoundModelHasNoTrouble) {
  // Doubled: the pixels of an image sum to one, so as logits they would be a distribution.
  const auto result = evaluate([](const Tensor& z, const Tensor&) { return 2 * z; });

  EXPECT_EQ(metric(result, "check.randomised"), 0);
  EXPECT_EQ(metric(result, "check.softmax_output"), 0);
  EXPECT_EQ(metric(result, "check.zero_gradient"), 0);
  EXPECT_EQ(metric(result, "check.gradient_not_finite"), 0);
  // One product of two numbers per class: batches cannot differ by rounding.
  EXPECT_EQ(metric(result, "check.batch_dependence"), 0);
}

TEST(Checks, ProbabilitiesAreFound) {
  EXPECT_EQ(metric(evaluate([](const Tensor& z, const Tensor&) { return (5 * z).softmax(1); }),
                   "check.softmax_output"),
            1);
}

// The answers to (0.7, 0.3) alternate with (0.7, 0.4): scaled to length 1 their distance is
// 2 sin(phi / 2) with the angle phi between them, tan phi = (0.4 - 0.3) 0.7 / (0.7^2 + 0.3 0.4).
// The other samples of the batch move less: (0.4, 0.6) turns by atan of 0.04 / 0.58, (0.2, 0.8) by
// that of 0.02 / 0.76.
TEST(Checks, RandomAnswersAreMeasured) {
  int pass = 0;
  const auto result = evaluate([&](const Tensor& z, const Tensor&) {
    return z + torch::tensor({0.0f, ++pass % 2 == 0 ? 0.1f : 0.0f});
  });

  // float32 rounding of the logits, relative 6e-8.
  EXPECT_NEAR(metric(result, "check.randomised"), 2 * std::sin(std::atan(0.07 / 0.61) / 2), 1e-6);
}

// Every logit is less half the mean over the batch. The first canonical batch has the images
// (0.7, 0.3), (0.4, 0.6), (0.2, 0.8) with the mean (0.4333, 0.5667); alone an image is its own
// mean. The largest difference is half of 0.7 - 0.4333; the largest logit in the batch is
// 0.8 - 0.5667 / 2.
TEST(Checks, LeaksBetweenSamplesAreMeasured) {
  const auto result =
      evaluate([](const Tensor& z, const Tensor&) { return z - z.mean(0, /*keepdim=*/true) / 2; });

  EXPECT_NEAR(
      metric(result, "check.batch_dependence"), (0.7 - 1.3 / 3) / 2 / (0.8 - 1.7 / 3 / 2), 1e-6);
}

// An attack on a network that leaks sees whole batches to the end, as under a solver that couples
// them: a sample that left would change what the others are.
TEST(Checks, ALeakMakesAttacksSeeWholeBatches) {
  std::int64_t rows = 0;
  bool is_independent = true;
  const auto look = [&](Target& target, const Tensor& x, const Tensor&, const Threat&) {
    rows = std::max(rows, x.size(0));
    is_independent = is_independent && target.is_batch_independent();
    return x.clone();
  };

  // Sample 1 is wrong from the start: attacks on a network without a leak do not get it.
  const auto result =
      evaluate([](const Tensor& z, const Tensor&) { return z - z.mean(0, true) / 2; }, look);
  EXPECT_EQ(rows, 4);
  EXPECT_FALSE(is_independent);
  EXPECT_EQ(metric(result, "batch_coupled"), 1);

  rows = 0;
  is_independent = true;
  const auto sound = evaluate([](const Tensor& z, const Tensor&) { return 2 * z; }, look);
  EXPECT_EQ(rows, 3);
  EXPECT_TRUE(is_independent);
  EXPECT_EQ(metric(sound, "batch_coupled"), 0);
}

// The same leak in logits of another scale is the same leak.
TEST(Checks, LeaksAreMeasuredInUnitsOfTheLogits) {
  const auto leak = [](const Tensor& z, const Tensor&) { return z - z.mean(0, true) / 2; };
  const auto large = [&](const Tensor& z, const Tensor& x) { return 1e4 * leak(z, x); };

  // Rounding of float32, relative 6e-8, in a handful of operations.
  EXPECT_NEAR(metric(evaluate(large), "check.batch_dependence"),
              metric(evaluate(leak), "check.batch_dependence"),
              1e-6);
}

TEST(Checks, NoiseIsNoLeak) {
  const auto result =
      evaluate([](const Tensor& z, const Tensor&) { return z + 0.3 * at::randn_like(z); });

  EXPECT_GT(metric(result, "check.randomised"), 1e-2);
  EXPECT_EQ(metric(result, "check.batch_dependence"), 0);
}

TEST(Checks, ALeakBehindNoiseIsSeenAllTheSame) {
  const auto result = evaluate([](const Tensor& z, const Tensor&) {
    return z - z.mean(0, true) / 2 + 1e-3 * at::randn_like(z);
  });

  EXPECT_GT(metric(result, "check.batch_dependence"), 0.1);
}

TEST(Checks, OneHotAnswersAreToldFromProbabilities) {
  const auto one_hot = evaluate([](const Tensor& z, const Tensor&) {
    return at::one_hot(z.argmax(1), 2).to(z.scalar_type());
  });
  const auto soft = evaluate([](const Tensor& z, const Tensor&) { return (5 * z).softmax(1); });

  EXPECT_EQ(metric(one_hot, "check.softmax_output"), 1);
  EXPECT_EQ(metric(one_hot, "check.one_hot_output"), 1);
  EXPECT_EQ(metric(soft, "check.one_hot_output"), 0);
}

// Fails on the first image (0.7, 0.3) when it is passed alone: the check is no number and says why,
// the verdict stays.
TEST(Checks, ACheckThatFailsLeavesTheVerdict) {
  const auto result = evaluate([](const Tensor& z, const Tensor& x) {
    if (z.size(0) == 1 && x.flatten()[0].item<double>() > 0.65) {
      throw NumericError("too many attempts");
    }
    return z;
  });

  EXPECT_EQ(metric(result, "clean_accuracy"), 0.75);
  EXPECT_EQ(metric(result, "check.randomised"), 0);
  EXPECT_TRUE(std::isnan(metric(result, "check.batch_dependence")));
  EXPECT_EQ(find_metric(result, "check.batch_dependence")->reason, "too many attempts");
}

// A network that compares has a derivative, which is zero; it is attacked, and the check says so.
TEST(Checks, ANetworkWithoutDerivativesHasZeroGradients) {
  const auto result = evaluate(
      [](const Tensor& z, const Tensor& x) { return z.detach() + 0 * x.detach().flatten(1); });

  EXPECT_EQ(metric(result, "check.zero_gradient"), 1);
  EXPECT_EQ(metric(result, "clean_accuracy"), 0.75);
}

TEST(Checks, ZeroGradientsAreCounted) {
  // Samples 0, 2 and 3 are attacked; the gradient is lost where the first pixel is above 0.5, which
  // holds for sample 0.
  const auto result = evaluate([](const Tensor& z, const Tensor& x) {
    return at::where(x.flatten(1).narrow(1, 0, 1) > 0.5, z.detach(), z);
  });

  EXPECT_NEAR(metric(result, "check.zero_gradient"), 1.0 / 3, 1e-15);
  EXPECT_EQ(find_metric(result, "check.zero_gradient")->n, 3);
}

TEST(Checks, OnlyTheFirstGradientOfASampleIsHeldAgainstZero) {
  const auto result =
      evaluate(as_it_is, [](Target& target, const Tensor& x, const Tensor& y, const Threat&) {
        target.loss_and_gradient(x, y, Loss::kMargin);
        target.loss_and_gradient(x, [](const Tensor& z) { return 0 * z.sum(1); });
        return x;
      });

  EXPECT_EQ(metric(result, "check.zero_gradient"), 0);
}

TEST(Checks, GradientsThatAreNotFiniteAreCounted) {
  // The root of 0 has the slope infinity, and infinity times the slope of the square, 0, is no
  // number. The first pixel is 0.2 in sample 2 of 0, 2 and 3.
  const auto result = evaluate([](const Tensor& z, const Tensor& x) {
    return z + (x.flatten(1).narrow(1, 0, 1) - 0.2).square().sqrt() * 1e-3;
  });

  EXPECT_NEAR(metric(result, "check.gradient_not_finite"), 1.0 / 3, 1e-15);
}

TEST(Checks, GradientsOfSeveralLossesAreOneGradient) {
  const auto result =
      evaluate(as_it_is, [](Target& target, const Tensor& x, const Tensor&, const Threat&) {
        target.loss_and_gradient(x, [](const Tensor& z) {
          return at::stack({z.select(1, 0), 0 * z.select(1, 1)}, 1);
        });
        return x;
      });

  EXPECT_EQ(metric(result, "check.zero_gradient"), 0);
  EXPECT_EQ(find_metric(result, "check.zero_gradient")->n, 3);
}

TEST(Checks, RowsThatAreLeftOutHaveNoGradient) {
  const auto result =
      evaluate(as_it_is, [](Target& target, const Tensor& x, const Tensor& y, const Threat&) {
        const Tensor last = torch::tensor({2}, torch::kLong);
        target.loss_and_gradient(x.narrow(0, 2, 1), y.narrow(0, 2, 1), Loss::kMargin, last);
        return x;
      });

  EXPECT_EQ(find_metric(result, "check.zero_gradient")->n, 1);
}

TEST(Checks, WithoutGradientsTheirSharesAreNoNumbers) {
  const auto result = evaluate(as_it_is, ask_nothing);

  EXPECT_TRUE(std::isnan(metric(result, "check.zero_gradient")));
  EXPECT_TRUE(std::isnan(metric(result, "check.gradient_not_finite")));
}

TEST(Checks, TheirPassesAreCountedAsWorkAndNotAsQueries) {
  Troubled model(as_it_is, /*has_ode=*/true);
  FunctionAttack attack(ask_nothing);

  const auto with = evaluate(model, attack);
  const auto without = evaluate(model, attack, /*has_checks=*/false);

  // Five passes of the first three samples, and each of them alone.
  EXPECT_EQ(with.counters.forwards - without.counters.forwards, 5 * 3 + 3);
  EXPECT_EQ(nlohmann::json(with).at("outcomes"), nlohmann::json(without).at("outcomes"));
  const auto phase = std::find_if(with.solve_stats.begin(),
                                  with.solve_stats.end(),
                                  [](const wire::SolveStats& s) { return s.phase == "check"; });
  ASSERT_NE(phase, with.solve_stats.end());
  EXPECT_EQ(phase->solves, 5 + 3);
}

TEST(Checks, CellsWithoutThemHaveNone) {
  Troubled model(as_it_is);
  FunctionAttack attack(ask_once);

  const auto result = evaluate(model, attack, /*has_checks=*/false);

  for (const wire::Metric& m : result.metrics) EXPECT_NE(m.name.rfind("check.", 0), 0U) << m.name;
}

// Notes 1, 2, ... for the rows of a batch; none for row `missing`.
class Noting final : public Attack {
 public:
  Norm norm() const override { return Norm::kLinf; }
  Tensor perturb(
      Target&, const Tensor& x, const Tensor&, const Threat&, AttackContext& context) override {
    Tensor values = at::arange(1, x.size(0) + 1, at::kDouble);
    values.select(0, 0).fill_(std::nan(""));
    context.notes.push_back({"number", values});
    return x;
  }
};

TEST(Checks, NotesHaveAMeanOverAttackedSamplesWithANumber) {
  Troubled model(as_it_is);
  Noting attack;

  // Samples 0, 2 and 3 get none, 2 and 3.
  const auto result = evaluate(model, attack);

  EXPECT_EQ(metric(result, "number.mean"), 2.5);
  EXPECT_EQ(find_metric(result, "number.mean")->n, 2);
}

TEST(Checks, MisclassifiedSamplesOfACoupledBatchAreNotInTheMean) {
  Troubled model(as_it_is, /*has_ode=*/true);
  Noting attack;

  // All four samples get none, 2, 3 and 4; sample 1 is misclassified.
  const auto result = evaluate(model, attack, /*has_checks=*/true, /*is_adaptive=*/true);

  EXPECT_EQ(metric(result, "number.mean"), 3.5);
  EXPECT_EQ(result.sample_metrics.size(), 4U);
}

}  // namespace
}  // namespace unmask::engine::checks_test
