#include "engine/target.hpp"

#include <cmath>
#include <limits>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/engine/tiny_model.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::target_test {
namespace {

// float64: comparisons with closed forms need room below float32's rounding.
Tensor batch() {
  return four_samples().images.to(torch::kDouble);
}
Tensor labels() {
  return four_samples().labels;
}
LinearModel linear(bool has_ode = false) {
  return LinearModel(difference_weight().to(torch::kDouble), has_ode);
}

TEST(NetworkTarget, GivesTheGradientOfTheSummedLoss) {
  LinearModel model = linear();
  SolveLog log;
  NetworkTarget target(model, make_setup(false), {}, {}, 2, log);

  const LossGradient result = target.loss_and_gradient(batch(), labels(), Loss::kMargin);

  // Margin loss of label 0: z1 - z0 = x1 - x0.
  EXPECT_TRUE(
      torch::equal(result.gradient[0].flatten(), torch::tensor({-1.0, 1.0}, torch::kDouble)));
  EXPECT_TRUE(
      torch::equal(result.gradient[2].flatten(), torch::tensor({1.0, -1.0}, torch::kDouble)));
  EXPECT_NEAR(result.loss[0].item<double>(), -0.4, 1e-7);
}

TEST(NetworkTarget, DifferentiatesSeveralLossesOfOnePass) {
  LinearModel model = linear(true);
  SolveLog log;
  NetworkTarget target(model, make_setup(false), {}, {}, 2, log);

  const LossGradient both =
      target.loss_and_gradient(batch(), [](const Tensor& logits) { return logits; });

  EXPECT_EQ(both.gradient.sizes(), (std::vector<std::int64_t>{2, 4, 1, 1, 2}));
  EXPECT_EQ(target.counters().forwards, 4);
  EXPECT_EQ(target.counters().backwards, 8);
  for (std::int64_t k = 0; k < 2; ++k) {
    const LossGradient one = target.loss_and_gradient(
        batch(), [k](const Tensor& logits) { return logits.select(1, k); });
    EXPECT_TRUE(torch::equal(both.gradient[k], one.gradient));
    EXPECT_TRUE(torch::equal(both.loss.select(1, k), one.loss));
  }
}

TEST(NetworkTarget, RefusesLossesThatAreNotPerSample) {
  LinearModel model = linear();
  SolveLog log;
  NetworkTarget target(model, make_setup(false), {}, {}, 2, log);

  EXPECT_THROW(target.loss_and_gradient(batch(), [](const Tensor& logits) { return logits.sum(); }),
               c10::Error);
}

TEST(NetworkTarget, CountsWorkAndQueriesPerRow) {
  LinearModel model = linear(true);
  SolveLog log;
  NetworkTarget target(model, make_setup(false), {}, {}, 2, log);
  target.begin_batch(batch());

  target.logits(batch());
  target.loss_and_gradient(batch().narrow(0, 1, 2),
                           labels().narrow(0, 1, 2),
                           Loss::kMargin,
                           torch::tensor({1, 2}, torch::kLong));

  EXPECT_EQ(target.queries(), (std::vector<std::int64_t>{1, 2, 2, 1}));
  EXPECT_EQ(target.counters().forwards, 6);
  EXPECT_EQ(target.counters().backwards, 2);
  EXPECT_EQ(target.counters().nfe, 2);  // one Euler evaluation per pass
}

TEST(NetworkTarget, RefusesRowsThatTheBatchDoesNotHave) {
  LinearModel model = linear();
  SolveLog log;
  NetworkTarget target(model, make_setup(false), {}, {}, 2, log);
  target.begin_batch(batch());

  for (const std::int64_t row : {-1, 4}) {
    try {
      target.logits(batch().narrow(0, 0, 1), torch::tensor({row}, torch::kLong));
      ADD_FAILURE() << row << " was accepted";
    } catch (const PluginError& error) {
      EXPECT_EQ(std::string(error.what()),
                "row " + std::to_string(row) +
                    " was passed to the target; the batch that it was handed has rows 0 to 3");
    }
  }
}

TEST(NetworkTarget, DifferentiatesThroughTheGradientSolverAndAnswersWithTheOther) {
  LinearModel model = linear(true);
  SolveLog log;
  NetworkTarget target(model, make_setup(true), {make_setup(false)}, {.is_coupled = true}, 2, log);

  const LossGradient result = target.loss_and_gradient(batch(), labels(), Loss::kMargin);

  // Euler in one step: y = x + x^2/2, so dy/dx = 1 + x; the answers are those of the adaptive
  // solver.
  EXPECT_NEAR(result.gradient[0].flatten()[1].item<double>(), 1.3, 1e-6);
  EXPECT_TRUE(torch::equal(result.logits, target.logits(batch())));
  ASSERT_EQ(log.rows().size(), 2u);
  EXPECT_EQ(log.rows()[0].phase, "gradient");
  EXPECT_EQ(log.rows()[1].phase, "attack");
}

TEST(NetworkTarget, NeedsOnePassWhenOnlyTheStepGradientDiffers) {
  LinearModel model = linear(true);
  SolverSetup frozen = make_setup(true);
  frozen.options.step_gradient = ode::StepGradient::kNone;
  SolverSetup full = make_setup(true);
  full.options.step_gradient = ode::StepGradient::kFull;
  SolveLog log;
  NetworkTarget target(model, full, {frozen}, {.is_coupled = true}, 2, log);

  const LossGradient result = target.loss_and_gradient(batch(), labels(), Loss::kMargin);

  EXPECT_EQ(target.counters().forwards, 4);
  EXPECT_TRUE(torch::equal(result.logits, target.logits(batch())));
}

// Euler in one step has dy/dx = 1 + x; in two steps of 1/2 it is (1 + x/2)(1 + x/2 + x^2/8) (see
// Growth: dy/dt = y^2 / 2).
TEST(NetworkTarget, AveragesTheGradientOverSolvers) {
  LinearModel model = linear(true);
  SolverSetup two_steps = make_setup(false);
  two_steps.options.step_size = 0.5;
  SolveLog log;
  NetworkTarget one(model, make_setup(true), {make_setup(false)}, {.is_coupled = true}, 2, log);
  NetworkTarget two(model, make_setup(true), {two_steps}, {.is_coupled = true}, 2, log);
  NetworkTarget mean(
      model, make_setup(true), {make_setup(false), two_steps}, {.is_coupled = true}, 2, log);
  const auto gradient = [](NetworkTarget& target) {
    return target.loss_and_gradient(batch(), labels(), Loss::kMargin).gradient;
  };
  const Tensor expected = (gradient(one) + gradient(two)) / 2;

  const LossGradient result = mean.loss_and_gradient(batch(), labels(), Loss::kMargin);

  EXPECT_TRUE(torch::equal(result.gradient, expected));
  EXPECT_FALSE(torch::equal(gradient(one), gradient(two)));
  EXPECT_TRUE(torch::equal(result.logits, mean.logits(batch())));
}

// The answers of a mean with the evaluation solver among its parts come from that part's pass.
TEST(NetworkTarget, NeedsNoPassForAnswersThatAPartOfAMeanGives) {
  LinearModel model = linear(true);
  SolveLog log;
  NetworkTarget target(
      model, make_setup(true), {make_setup(false), make_setup(true)}, {.is_coupled = true}, 2, log);

  const LossGradient result = target.loss_and_gradient(batch(), labels(), Loss::kMargin);

  EXPECT_EQ(target.counters().forwards, 2 * batch().size(0));
  EXPECT_EQ(target.counters().backwards, 2 * batch().size(0));
  EXPECT_TRUE(torch::equal(result.logits, target.logits(batch())));
}

TEST(NetworkTarget, KnowsWhenBatchMatesMatter) {
  LinearModel plain = linear();
  LinearModel with_ode = linear(true);

  EXPECT_FALSE(is_batch_coupled(plain, make_setup(true), batch()));
  EXPECT_FALSE(is_batch_coupled(with_ode, make_setup(false), batch()));
  EXPECT_TRUE(is_batch_coupled(with_ode, make_setup(true), batch()));
}

TEST(NetworkTarget, RefusesLogitsThatAreNotFinite) {
  LinearModel model(torch::full({2, 2}, std::numeric_limits<double>::infinity(), torch::kDouble));
  SolveLog log;
  NetworkTarget target(model, make_setup(false), {}, {}, 2, log);

  EXPECT_THROW(target.logits(batch()), NumericError);
}

TEST(NetworkTarget, FreezesWeightsAndEvaluates) {
  LinearModel model = linear();
  model.is_training = true;
  SolveLog log;
  const NetworkTarget target(model, make_setup(false), {}, {}, 2, log);

  EXPECT_FALSE(model.is_training);
  EXPECT_FALSE(model.parameters()[0].tensor.requires_grad());
}

std::string refusal_of(Model& model, const Tensor& x) {
  SolveLog log;
  NetworkTarget target(model, make_setup(false), {}, {.network = "tiny"}, 2, log);
  try {
    target.logits(x);
  } catch (const NumericError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(NetworkTarget, NamesTheTensorTheImagesOrTheSolveThatAreNotFinite) {
  Tensor weight = difference_weight().to(torch::kDouble);
  Tensor broken = weight.clone();
  broken[1][0] = std::nan("");
  LinearModel bad_weight(broken);
  LinearModel sound(weight);
  LinearModel growing(weight, /*has_ode=*/true);
  Tensor bad_image = batch();
  bad_image[2][0][0][1] = std::numeric_limits<double>::infinity();

  EXPECT_EQ(refusal_of(bad_weight, batch()),
            "logits of the network \"tiny\" are not finite for 4 of 4 samples: its tensor "
            "\"weight\" holds nan at [1, 0]");
  EXPECT_EQ(refusal_of(sound, bad_image),
            "logits of the network \"tiny\" are not finite for 1 of 4 samples: the images that "
            "were passed hold inf at [2, 0, 0, 1]");
  // y + y^2 / 2 of 1e200 is beyond float64.
  EXPECT_THAT(refusal_of(growing, batch() * 1e200), testing::HasSubstr("\"flow\""));
}

// Layers that compare or round have a derivative, which is zero.
class Comparing final : public Model {
 public:
  Tensor forward(const Tensor& x, OdeContext&) override {
    return (x.flatten(1) > 0.5).to(x.scalar_type());
  }
  std::vector<NamedTensor> parameters() override { return {}; }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool) override {}
  void to(const std::string&, at::ScalarType) override {}
};

TEST(NetworkTarget, ANetworkWithoutAGraphHasAZeroGradient) {
  Comparing model;
  SolveLog log;
  NetworkTarget target(model, make_setup(false), {}, {}, 2, log);

  const LossGradient one = target.loss_and_gradient(batch(), labels(), Loss::kMargin);
  const LossGradient many =
      target.loss_and_gradient(batch(), [](const Tensor& logits) { return logits; });

  EXPECT_TRUE(torch::equal(one.gradient, torch::zeros_like(batch())));
  EXPECT_EQ(many.gradient.sizes(), (std::vector<std::int64_t>{2, 4, 1, 1, 2}));
}

TEST(NetworkTarget, TellsWhatItIs) {
  LinearModel model = linear();
  SolveLog log;
  const NetworkTarget plain(model, make_setup(false), {}, {}, 2, log);
  const NetworkTarget stand_in(model, make_setup(false), {}, {.is_stand_in = true}, 2, log);
  const NetworkTarget random(model, make_setup(false), {}, {.is_deterministic = false}, 2, log);

  EXPECT_TRUE(plain.is_batch_independent());
  EXPECT_FALSE(plain.is_stand_in());
  EXPECT_TRUE(plain.is_deterministic());
  EXPECT_TRUE(stand_in.is_stand_in());
  EXPECT_FALSE(stand_in.is_batch_independent());
  EXPECT_FALSE(random.is_deterministic());
  EXPECT_FALSE(random.is_batch_independent());
}

// A pass that fails has done its work, and leaves nothing for the next one.
TEST(NetworkTarget, CountsAPassThatFailsOnce) {
  LinearModel model = linear(/*has_ode=*/true);
  SolverSetup one_attempt = make_setup(true);
  one_attempt.options.first_step = 1.0;
  one_attempt.options.max_attempts = 1;
  SolveLog log;
  NetworkTarget target(model, one_attempt, {}, {}, 2, log);

  // One step is too long for large states, and exact at rest.
  EXPECT_THROW(target.logits(batch() * 50), NumericError);
  target.logits(batch() * 0);

  EXPECT_EQ(target.counters().forwards, 8);
  ASSERT_EQ(log.rows().size(), 1u);
  EXPECT_EQ(log.rows()[0].solves, 2);
  EXPECT_EQ(log.rows()[0].failed, 1);
}

}  // namespace
}  // namespace unmask::engine::target_test
