#include "engine/attack_evaluation.hpp"

#include <cmath>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include "unit/engine/evaluation_case.hpp"
#include "unit/engine/tiny_model.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::attack_evaluation_test {
namespace {

// Samples 0, 2 and 3 are classified correctly, sample 1 is not. Margins 0.4, 0.6, 0.1: with radius
// 0.1 each pixel moves the difference by 0.2 at most, so exactly sample 3 can be fooled.
wire::CellResult attack_with(const FunctionAttack::Function& function,
                             double epsilon = 0.1,
                             bool is_coupled = false,
                             std::int64_t batch_size = 4) {
  LinearModel model(difference_weight(), is_coupled);
  EvaluationCase set;
  set.solver = make_setup(is_coupled);
  EvaluationInput input = set.input(model);
  input.batch_size = batch_size;
  input.method_batch = batch_size;
  input.epsilon = epsilon;
  return run_attack(input, function);
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

TEST(EvaluateAttack, DoesNotCountWhatLeavesTheBox) {
  const auto box = attack_with(
      [](Target&, const Tensor& x, const Tensor&, const Threat&) { return x + 0.5; }, 0.9);

  EXPECT_EQ(metric(box, "threat_violations"), 3);
}

TEST(EvaluateAttack, NamesTheNorm) {
  EXPECT_EQ(attack_with(sign_step).norm, "linf");
}

// Two solvers to differentiate through beside the one that answers: three passes for one answer.
TEST(EvaluateAttack, CountsAnswersAndThePassesBehindThem) {
  LinearModel model(difference_weight(), /*has_ode=*/true);
  SolverSetup two_steps = make_setup(false);
  two_steps.options.step_size = 0.5;
  EvaluationCase set;
  set.solver = make_setup(true);
  set.gradients = {make_setup(false), two_steps};

  const wire::CellResult result = run_attack(set.input(model), sign_step);

  EXPECT_EQ(result.outcomes[0].queries, 1);
  EXPECT_EQ(result.outcomes[0].passes, 3);
}

TEST(EvaluateAttack, WithoutARadiusChangesNothing) {
  const auto result = attack_with(sign_step, 0);

  ASSERT_EQ(result.outcomes.size(), 4u);
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
  const SolverSetup source_solver = make_setup(is_source_coupled);
  const EvaluationCase set;
  EvaluationInput input = set.input(model);
  input.source.emplace(source_model, source_solver);
  return run_attack(input, function);
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

// ---- samples that cannot be decided ----

// Gives up, as a solver does, on every batch that holds an image whose first pixel is in a range.
class Fragile final : public Model {
 public:
  Fragile(double low, double high) : linear_(difference_weight()), low_(low), high_(high) {}

  Tensor forward(const Tensor& x, OdeContext& ode) override {
    const Tensor first = x.flatten(1).select(1, 0);
    if (first.gt(low_).logical_and(first.lt(high_)).any().item<bool>()) {
      throw NumericError("solve \"flow\" ended with underflow");
    }
    return linear_.forward(x, ode);
  }
  std::vector<NamedTensor> parameters() override { return linear_.parameters(); }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool training) override { linear_.set_training(training); }
  void to(const std::string&, at::ScalarType) override {}

 private:
  LinearModel linear_;
  double low_;
  double high_;
};

wire::CellResult attack_model(Model& model, const FunctionAttack::Function& function) {
  const EvaluationCase set;
  return run_attack(set.input(model), function);
}

// First pixels 0.7, 0.4, 0.2, 0.45: sample 2 alone lies below 0.3. Samples 0 and 3 have the verdict
// that they have without it.
TEST(EvaluateAttack, ASampleThatASolveFailsOnLeavesTheOthersTheirVerdicts) {
  Fragile model(0.0, 0.3);

  const auto result = attack_model(model, sign_step);

  ASSERT_EQ(result.outcomes.size(), 4u);
  EXPECT_FALSE(result.outcomes[2].is_decided);
  EXPECT_EQ(result.outcomes[2].clean_prediction, -1);
  EXPECT_TRUE(result.outcomes[0].is_decided);
  EXPECT_EQ(result.outcomes[0].prediction, 0);
  EXPECT_EQ(result.outcomes[3].prediction, 0);  // fooled
  EXPECT_EQ(metric(result, "undecided"), 1);
  EXPECT_EQ(metric(result, "clean_accuracy"), 0.5);
  EXPECT_EQ(metric(result, "robust_accuracy"), 0.25);
  ASSERT_EQ(result.remarks.size(), 1u);
  EXPECT_NE(result.remarks[0].find("solve \"flow\" ended with underflow"), std::string::npos);
}

// The step of the attack leads sample 2 from 0.2 to 0.3 and sample 3 from 0.45 to 0.55; an attack
// that asks there again fails on sample 2 alone.
TEST(EvaluateAttack, ASampleThatTheAttackFailsOnIsNeitherFooledNorRobust) {
  Fragile model(0.25, 0.35);
  const auto ask_again = [](Target& t, const Tensor& x, const Tensor& y, const Threat& threat) {
    const Tensor moved = sign_step(t, x, y, threat);
    t.logits(moved);
    return moved;
  };

  const auto result = attack_model(model, ask_again);

  EXPECT_FALSE(result.outcomes[2].is_decided);
  EXPECT_EQ(result.outcomes[2].clean_prediction, 1);
  EXPECT_EQ(result.outcomes[2].prediction, -1);
  EXPECT_EQ(result.outcomes[2].distance, 0);
  EXPECT_EQ(metric(result, "robust_accuracy"), 0.25);
  EXPECT_EQ(metric(result, "clean_accuracy"), 0.75);
  EXPECT_EQ(metric(result, "undecided"), 1);
}

TEST(EvaluateAttack, WhereNothingCanBeDecidedTheCellFailsWithTheReason) {
  Fragile nobody(0.0, 1.0);
  Fragile attacked(0.0, 1.0);
  int passes = 0;
  const auto fail = [&](Target&, const Tensor&, const Tensor&, const Threat&) -> Tensor {
    ++passes;
    throw NumericError("solve \"flow\" ended with underflow");
  };
  LinearModel sound(difference_weight());

  EXPECT_THROW(attack_model(nobody, sign_step), NumericError);
  EXPECT_THROW(attack_model(sound, fail), NumericError);
  EXPECT_EQ(passes, 5);  // three samples, then one and two, then one and one
}

// ---- what a network does to the tensors of the host ----

// Writes into its input, as a first layer in place does.
class InPlace final : public Model {
 public:
  Tensor forward(const Tensor& x, OdeContext& ode) override {
    Tensor input = x;
    input.sub_(0.1).mul_(0.5);
    return linear_.forward(input, ode);
  }
  std::vector<NamedTensor> parameters() override { return linear_.parameters(); }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool training) override { linear_.set_training(training); }
  void to(const std::string&, at::ScalarType) override {}

 private:
  LinearModel linear_{difference_weight()};
};

TEST(EvaluateAttack, ANetworkThatWritesIntoItsInputIsJudgedLikeOneThatDoesNot) {
  InPlace in_place;

  const auto result = attack_model(in_place, sign_step);

  EXPECT_EQ(metric(result, "threat_violations"), 0);
  EXPECT_EQ(metric(result, "robust_accuracy"), 0.5);
  EXPECT_NEAR(result.outcomes[3].distance, 0.1, 1e-7);
}

// ---- random networks ----

// Noise of LibTorch's own generator on every logit.
class Noisy final : public Model {
 public:
  Tensor forward(const Tensor& x, OdeContext& ode) override {
    const Tensor z = linear_.forward(x, ode);
    return z + 0.5 * at::randn_like(z);
  }
  std::vector<NamedTensor> parameters() override { return linear_.parameters(); }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool training) override { linear_.set_training(training); }
  void to(const std::string&, at::ScalarType) override {}

 private:
  LinearModel linear_{difference_weight()};
};

TEST(EvaluateAttack, ARandomNetworkGivesTheSameRowsWhateverRanBefore) {
  Noisy model;
  torch::manual_seed(1);
  const auto first = attack_model(model, sign_step);
  torch::manual_seed(2);
  at::randn({17});

  const auto second = attack_model(model, sign_step);

  EXPECT_EQ(nlohmann::json(first), nlohmann::json(second));
}

TEST(EvaluateAttack, AttacksAreToldThatANetworkIsRandom) {
  Noisy noisy;
  LinearModel sound(difference_weight());
  std::vector<bool> told;
  const auto look = [&](Target& target, const Tensor& x, const Tensor&, const Threat&) {
    told.push_back(target.is_deterministic());
    EXPECT_EQ(target.is_batch_independent(), target.is_deterministic());
    return x;
  };

  attack_model(noisy, look);
  attack_model(sound, look);

  EXPECT_EQ(told, (std::vector<bool>{false, true}));
}

// Images that did not change have the predictions that they had: one accuracy, not two.
TEST(EvaluateAttack, AnAttackThatChangesNothingLeavesTheCleanPredictionsOfARandomNetwork) {
  Noisy model;

  const auto result =
      attack_model(model, [](Target&, const Tensor& x, const Tensor&, const Threat&) { return x; });

  EXPECT_EQ(metric(result, "robust_accuracy"), metric(result, "clean_accuracy"));
}

// ---- the seam: saved after any step, gone on with in another object ----

// Draws, asks, notes and records, so that all that a state holds is in use.
class Busy final : public Attack {
 public:
  Norm norm() const override { return Norm::kLinf; }
  Tensor perturb(Target& target,
                 const Tensor& x,
                 const Tensor& y,
                 const Threat& threat,
                 AttackContext& context) override {
    const Tensor start = project(x + context.random.uniform(x, -0.05, 0.05), x, threat);
    const LossGradient slope = target.loss_and_gradient(start, y, Loss::kMargin);
    context.notes.push_back({"loss", slope.loss});
    context.series.push_back({"path", slope.loss, 0});
    return project(start + 0.05 * slope.gradient.sign(), x, threat);
  }
};

struct Seam {
  explicit Seam(bool is_noisy) {
    if (is_noisy) {
      model = std::make_unique<Noisy>();
    } else {
      model = std::make_unique<LinearModel>(difference_weight(), /*has_ode=*/true);
    }
  }

  EvaluationInput input() const {
    EvaluationInput result = set.input(*model);
    result.batch_size = 3;
    result.method_batch = 1;
    result.seed = 7;
    return result;
  }

  std::unique_ptr<Model> model;
  EvaluationCase set;
};

// Parts of one unit each, the last one first, by evaluations of their own.
TEST(AttackEvaluation, DividedItGivesTheSameBits) {
  for (const bool is_noisy : {false, true}) {
    const Seam seam(is_noisy);
    const EvaluationInput input = seam.input();
    Busy attack;
    wire::CellResult whole;
    const Tensor judged = evaluate_attack(input, attack, whole);
    std::vector<wire::CellPart> parts;
    std::vector<Tensor> points;
    for (const std::int64_t first : {3, 0}) {
      torch::manual_seed(99);
      AttackEvaluation evaluation(input, attack, first);
      evaluation.keep_judged();
      evaluation.step([](auto, auto, const auto&) {});
      // As a database would: numbers as text.
      parts.push_back(
          nlohmann::json::parse(nlohmann::json(evaluation.part()).dump()).get<wire::CellPart>());
      points.push_back(evaluation.judged());
    }

    EXPECT_EQ(parts[0].span.count, 1);
    EXPECT_EQ(parts[1].span.count, 3);
    EXPECT_TRUE(at::equal(at::cat({points[1], points[0]}), judged));
    EXPECT_EQ(nlohmann::json(wire::put_together(parts)), nlohmann::json(whole));
    EXPECT_EQ(whole.series.size(), static_cast<std::size_t>(metric(whole, "clean_accuracy") * 4));
  }
}

TEST(AttackEvaluation, SaysHowFarItIs) {
  const Seam seam(false);
  const EvaluationInput input = seam.input();
  Busy attack;
  AttackEvaluation evaluation(input, attack, 0);
  std::vector<std::int64_t> told;

  evaluation.step([&](std::int64_t done, std::int64_t, const auto&) { told.push_back(done); });

  EXPECT_EQ(told, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(evaluation.next(), 3);
  EXPECT_FALSE(evaluation.is_done());
  evaluation.step([](auto, auto, const auto&) {});
  EXPECT_TRUE(evaluation.is_done());
}

}  // namespace
}  // namespace unmask::engine::attack_evaluation_test
