#include "engine/evaluation.hpp"

#include <torch/types.h>

#include <gtest/gtest.h>

#include "unit/engine/tiny_model.hpp"

namespace unmask::engine {
namespace {

// Samples 0, 2 and 3 are classified correctly, sample 1 is not. Margins 0.4, 0.6, 0.1: with radius
// 0.1 each pixel moves the difference by 0.2 at most, so exactly sample 3 can be fooled.
wire::CellResult attack_with(const FunctionAttack::Function& function,
                             double epsilon = 0.1,
                             bool is_coupled = false,
                             std::int64_t batch_size = 4) {
  LinearModel model(difference_weight(), is_coupled);
  const SolverSetup solver = make_setup(is_coupled);
  const std::vector<SolverSetup> none;
  const LoadedSplit data = four_samples();
  const EvaluationInput input{
      model, solver, none, data, 2, batch_size, batch_size, epsilon, "cpu", at::kFloat, 1};
  FunctionAttack attack(function);
  wire::CellResult result;
  evaluate_attack(input, attack, result, [](auto, auto, const auto&) {});
  return result;
}

double metric(const wire::CellResult& result, const std::string& name) {
  for (const wire::Metric& m : result.metrics) {
    if (m.name == name) return m.value;
  }
  ADD_FAILURE() << "no metric " << name;
  return -1;
}

Tensor sign_step(Target& target, const Tensor& x, const Tensor& y, const Threat& threat) {
  return project(x + threat.epsilon * target.loss_and_gradient(x, y, Loss::kMargin).gradient.sign(),
                 x,
                 threat);
}

TEST(EvaluateAttack, CountsCleanAndRobustSamples) {
  const auto result = attack_with(sign_step);

  EXPECT_EQ(metric(result, "clean_accuracy"), 0.75);
  EXPECT_EQ(metric(result, "robust_accuracy"), 0.5);
  ASSERT_EQ(result.outcomes.size(), 4u);
  EXPECT_EQ(result.outcomes[3].clean_prediction, 1);
  EXPECT_EQ(result.outcomes[3].prediction, 0);
  // One float32 rounding below 0.1, see project().
  EXPECT_NEAR(result.outcomes[3].distance, 0.1, 1e-7);
}

TEST(EvaluateAttack, LeavesMisclassifiedSamplesAlone) {
  const auto result = attack_with(sign_step);

  EXPECT_EQ(result.outcomes[1].distance, 0);
  EXPECT_EQ(result.outcomes[1].queries, 0);
  EXPECT_EQ(result.outcomes[0].queries, 1);
}

TEST(EvaluateAttack, HandsOverCorrectlyClassifiedSamplesOnly) {
  std::int64_t seen = -1;
  attack_with([&](Target& t, const Tensor& x, const Tensor&, const Threat&) {
    seen = x.size(0);
    EXPECT_TRUE(t.is_batch_independent());
    return x;
  });

  EXPECT_EQ(seen, 3);
}

TEST(EvaluateAttack, HandsOverWholeBatchesOfACoupledTarget) {
  std::int64_t seen = -1;
  attack_with(
      [&](Target& t, const Tensor& x, const Tensor&, const Threat&) {
        seen = x.size(0);
        EXPECT_FALSE(t.is_batch_independent());
        return x;
      },
      0.1,
      true);

  EXPECT_EQ(seen, 4);
}

// 1 - x turns every class over. It moves sample 3 (0.45, 0.55) by 0.1, which is allowed, and
// samples 0 and 2 by 0.4 and 0.6, which is not: they stay robust.
TEST(EvaluateAttack, DoesNotCountWhatLeavesTheBall) {
  const auto result =
      attack_with([](Target&, const Tensor& x, const Tensor&, const Threat&) { return 1 - x; });

  EXPECT_EQ(metric(result, "robust_accuracy"), 0.5);
  EXPECT_EQ(metric(result, "threat_violations"), 2);
  EXPECT_EQ(result.outcomes[0].distance, 0);
}

TEST(EvaluateAttack, DoesNotCountWhatLeavesTheBoxOrIsNotFinite) {
  const auto box = attack_with(
      [](Target&, const Tensor& x, const Tensor&, const Threat&) { return x + 0.5; }, 0.9);
  const auto nan = attack_with(
      [](Target&, const Tensor& x, const Tensor&, const Threat&) { return x * std::nanf(""); },
      0.9);

  EXPECT_EQ(metric(box, "threat_violations"), 3);
  EXPECT_EQ(metric(nan, "threat_violations"), 3);
  EXPECT_EQ(metric(nan, "robust_accuracy"), 0.75);
}

TEST(EvaluateAttack, WithoutARadiusChangesNothing) {
  const auto result = attack_with(sign_step, 0);

  for (const wire::SampleOutcome& o : result.outcomes) {
    EXPECT_EQ(o.distance, 0);
    EXPECT_EQ(o.prediction, o.clean_prediction);
  }
}

TEST(EvaluateAttack, RefusesAnotherShape) {
  EXPECT_THROW(attack_with([](Target&, const Tensor& x, const Tensor&, const Threat&) {
                 return x.flatten(1);
               }),
               c10::Error);
}

TEST(EvaluateAttack, DoesNotDependOnTheBatchSizeWithoutCoupling) {
  const auto whole = attack_with(sign_step);
  const auto single = attack_with(sign_step, 0.1, false, 1);

  EXPECT_EQ(nlohmann::json(whole).at("outcomes"), nlohmann::json(single).at("outcomes"));
}

// The attack sees `source` in place of the network that judges.
wire::CellResult transfer_with(const FunctionAttack::Function& function,
                               const Tensor& source_weight,
                               bool is_source_coupled = false) {
  LinearModel model(difference_weight());
  LinearModel source_model(source_weight, is_source_coupled);
  const SolverSetup solver = make_setup(false);
  const SolverSetup source_solver = make_setup(is_source_coupled);
  const std::vector<SolverSetup> none;
  const LoadedSplit data = four_samples();
  EvaluationInput input{model, solver, none, data, 2, 4, 4, 0.1, "cpu", at::kFloat, 1};
  input.source.emplace(source_model, source_solver);
  FunctionAttack attack(function);
  wire::CellResult result;
  evaluate_attack(input, attack, result, [](auto, auto, const auto&) {});
  return result;
}

TEST(EvaluateTransfer, AttacksTheSourceAndJudgesByTheNetwork) {
  // A source that answers alike gives the attack on the network itself; one whose classes are
  // exchanged leads the other way.
  const auto alike = transfer_with(sign_step, difference_weight());
  const auto opposite = transfer_with(sign_step, difference_weight().flip(0));

  EXPECT_EQ(metric(alike, "clean_accuracy"), 0.75);
  EXPECT_EQ(metric(alike, "robust_accuracy"), 0.5);
  EXPECT_EQ(metric(opposite, "clean_accuracy"), 0.75);
  EXPECT_EQ(metric(opposite, "robust_accuracy"), 0.75);
}

// The source's own success is not what counts: attacks go on as in a batch that hangs together.
TEST(EvaluateTransfer, TellsTheAttackNotToStopWhenTheSourceIsFooled) {
  bool is_independent = true;
  std::int64_t rows = 0;
  const auto look = [&](Target& target, const Tensor& x, const Tensor&, const Threat&) {
    is_independent = target.is_batch_independent();
    rows = x.size(0);
    return x.clone();
  };

  const auto result = transfer_with(look, difference_weight());

  EXPECT_FALSE(is_independent);
  EXPECT_EQ(rows, 3);  // sample 1 is wrong from the start
  EXPECT_EQ(metric(result, "batch_coupled"), 0.0);
}

TEST(EvaluateTransfer, HandsWholeBatchesToACoupledSource) {
  std::int64_t rows = 0;
  const auto look = [&](Target&, const Tensor& x, const Tensor&, const Threat&) {
    rows = x.size(0);
    return x.clone();
  };

  const auto result = transfer_with(look, difference_weight(), /*is_source_coupled=*/true);

  EXPECT_EQ(rows, 4);
  EXPECT_EQ(metric(result, "batch_coupled"), 1.0);
}

class MeanProbe final : public Probe {
 public:
  std::vector<ProbeValue> measure(Target&,
                                  const Tensor& x,
                                  const Tensor&,
                                  AttackContext&) override {
    return {{"mean", x.flatten(1).mean(1)},
            {"odd",
             at::where(x.flatten(1).select(1, 0) > 0.5,
                       x.flatten(1).select(1, 0),
                       at::full({x.size(0)}, std::nanf("")))}};
  }
};

TEST(EvaluateProbe, StoresValuesAndTheirSummary) {
  LinearModel model(difference_weight());
  const SolverSetup solver = make_setup(false);
  const std::vector<SolverSetup> none;
  const LoadedSplit data = four_samples();
  const EvaluationInput input{model, solver, none, data, 2, 4, 3, 0, "cpu", at::kFloat, 1};
  MeanProbe probe;
  wire::CellResult result;

  evaluate_probe(input, probe, result, [](auto, auto, const auto&) {});

  EXPECT_EQ(result.sample_metrics.size(), 8u);
  EXPECT_NEAR(metric(result, "mean.mean"), 0.5, 1e-7);
  EXPECT_EQ(metric(result, "odd.not_finite"), 0.75);
  EXPECT_NEAR(metric(result, "odd.max"), 0.7, 1e-7);
}

}  // namespace
}  // namespace unmask::engine
