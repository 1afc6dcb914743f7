// Networks that hide their gradients in known ways: which attacks are stopped, and which are not.

#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <torch/autograd.h>
#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/bpda_context.hpp"
#include "support/linear_problem.hpp"
#include "unmask/kit/attack/spsa_estimator.hpp"
#include "unmask/kit/model/input_levels.hpp"
#include "unmask/testing/linear_target.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::test::masked_models_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);

// One image of 1 x 4 x 4 pixels that falls within half of the ball of any attack's default norm.
struct Easy {
  explicit Easy(const std::string& id, at::ScalarType type = at::kDouble)
      : norm(make_plugin<Attack>("attack", id, {})->norm()),
        epsilon(norm == Norm::kL2 ? 0.4 : 0.2),
        two(0.5 * epsilon * Binary(1.0).reach(norm), 16, type) {
    // Two classes far below, for losses that need four.
    weight = at::cat({two.weight, at::zeros({2, 16}, two.weight.options())});
    bias = at::cat({two.bias, at::full({2}, -20.0, two.bias.options())});
    x = two.x.view({1, 1, 4, 4});
  }
  LinearTarget target() const { return {weight, bias}; }
  Values values(const std::string& id) const {
    Values result;
    if (id == "pgd" || id == "apgd") result["loss"] = std::string("margin");
    if (id == "autoattack") result["queries"] = std::int64_t{500};
    return result;
  }
  bool is_fooled(const Tensor& point) const {
    return target().answer(point).argmax(1).item<std::int64_t>() != 0;
  }

  Norm norm;
  double epsilon;
  Binary two;
  Tensor weight, bias, x;
  Tensor y = at::zeros({1}, at::kLong);
};

class ByGradient : public testing::TestWithParam<std::string> {};

TEST_P(ByGradient, FoolsThePlainNetwork) {
  const Easy problem(GetParam());
  LinearTarget target = problem.target();

  const Tensor point =
      attack(GetParam(), problem.values(GetParam()), target, problem.x, problem.y, problem.epsilon);

  EXPECT_TRUE(problem.is_fooled(point));
}

TEST_P(ByGradient, IsStoppedByAGradientOfZero) {
  const Easy problem(GetParam());
  LinearTarget target = problem.target();
  target.without_gradient();
  Values values = problem.values(GetParam());
  if (GetParam() == "pgd") values["random_start"] = false;  // noise is another attack

  const Tensor point = attack(GetParam(), values, target, problem.x, problem.y, problem.epsilon);

  EXPECT_FALSE(problem.is_fooled(point));
}

// The margin and the ratio do not saturate: 1e4 times larger logits change nothing.
TEST_P(ByGradient, IsNotStoppedByHugeLogitsWhenItLooksAtMargins) {
  if (GetParam() == "fgsm") return;  // follows cross-entropy
  const Easy problem(GetParam(), at::kFloat);
  LinearTarget target = problem.target();
  target.scaled(1e4);

  const Tensor point =
      attack(GetParam(), problem.values(GetParam()), target, problem.x, problem.y, problem.epsilon);

  EXPECT_TRUE(problem.is_fooled(point));
}

INSTANTIATE_TEST_SUITE_P(Attacks,
                         ByGradient,
                         testing::Values("fgsm",
                                         "pgd",
                                         "apgd",
                                         "multi_targeted",
                                         "deepfool",
                                         "cw_l2",
                                         "cw_linf",
                                         "fab",
                                         "fab_t",
                                         "fmn"),
                         [](const auto& i) { return i.param; });

class WithoutGradient : public testing::TestWithParam<std::string> {};

// Hidden gradients do not stop who asks for none.
TEST_P(WithoutGradient, IsNotStoppedByAGradientOfZero) {
  const Easy problem(GetParam());
  LinearTarget target = problem.target();
  target.without_gradient();

  const Tensor point = attack(GetParam(), {}, target, problem.x, problem.y, problem.epsilon);

  EXPECT_TRUE(problem.is_fooled(point));
  EXPECT_EQ(target.backwards(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Attacks,
    WithoutGradient,
    testing::Values("square", "spsa", "nes", "boundary", "hop_skip_jump", "rays"),
    [](const auto& i) { return i.param; });

// The network of Easy behind something that its images pass through first.
class Behind final : public Target {
 public:
  using Pass = std::function<Tensor(const Tensor&, OdeContext&)>;
  Behind(const Easy& problem, Pass pass, Bpda bpda)
      : inner_(problem.target()), pass_(std::move(pass)), bpda_(bpda) {}
  std::int64_t num_classes() const override { return inner_.num_classes(); }
  bool is_batch_independent() const override { return true; }
  Tensor answer(const Tensor& x) const {
    BpdaContext context(bpda_);
    return inner_.answer(pass_(x, context));
  }
  // Of how many images the prediction is another than 0.
  std::int64_t fooled(const Tensor& x) const {
    return answer(x).argmax(1).ne(0).sum().item<std::int64_t>();
  }

 private:
  Tensor do_logits(const Tensor& x, const Tensor&) override {
    const at::NoGradGuard no_grad;
    return answer(x);
  }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    return differentiate(
        x, [this](const Tensor& p) { return answer(p); }, loss);
  }
  LinearTarget inner_;
  Pass pass_;
  Bpda bpda_;
};

// Images around that of Easy: `spread` less than half a level of the quantisers below, so that they
// are all the same to those.
Tensor around(const Tensor& x, double spread) {
  std::vector<std::int64_t> ids(10);
  std::iota(ids.begin(), ids.end(), 0);
  return SampleRandom(9, ids).uniform(x.expand({10, 1, 4, 4}), -spread, spread) + x;
}

Values pgd_on_margins() {
  return {{"loss", std::string("margin")}, {"random_start", false}};
}

// The network of Easy with probabilities for answers, so sharp that float32 knows 0 and 1 alone at the
// image.
class Sharp final : public Target {
 public:
  explicit Sharp(const Easy& problem)
      : inner_(problem.target()),
        sharpness_(400 / inner_.answer(problem.x).select(1, 0).item<double>()) {}
  std::int64_t num_classes() const override { return inner_.num_classes(); }
  bool is_batch_independent() const override { return true; }
  Tensor answer(const Tensor& x) const { return at::softmax(inner_.answer(x) * sharpness_, 1); }
  bool is_fooled(const Tensor& x) const { return answer(x).argmax(1).item<std::int64_t>() != 0; }

 private:
  Tensor do_logits(const Tensor& x, const Tensor&) override {
    const at::NoGradGuard no_grad;
    return answer(x);
  }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    return differentiate(
        x, [this](const Tensor& p) { return answer(p); }, loss);
  }
  LinearTarget inner_;
  double sharpness_;
};

// At the boundary the two classes are equally probable, and there is a gradient.
TEST(Saturated, StopsEveryAttackThatStartsAtTheImageAndNotTheOneThatStartsAtTheBoundary) {
  const Easy problem("pgd", at::kFloat);
  Sharp target(problem);
  ASSERT_EQ(target.answer(problem.x).select(1, 0).item<float>(), 1.0F);
  for (const char* id : {"pgd", "fab", "boundary_gradient"}) {
    Values values;
    if (std::string(id) == "pgd")
      values = {{"loss", std::string("margin")}, {"random_start", false}};

    const Tensor point = attack(id, values, target, problem.x, problem.y, problem.epsilon);

    EXPECT_EQ(target.is_fooled(point), std::string(id) == "boundary_gradient") << id;
    EXPECT_LE((point - problem.x).abs().max().item<double>(), problem.epsilon * (1 + 1e-6)) << id;
  }
}

// The identity, whose derivative is lost.
Tensor hidden(const Tensor& x, OdeContext& context) {
  return context.apply([](const Tensor& p) { return p.detach() + 0 * p; }, x);
}

TEST(HiddenGradient, IsRestoredByTheIdentity) {
  const Easy problem("pgd");
  const Tensor x = around(problem.x, 0.02);
  const Tensor y = at::zeros({10}, at::kLong);
  for (const auto& [bpda, falls] : {std::pair{Bpda::kNone, 0}, std::pair{Bpda::kIdentity, 10}}) {
    Behind target(problem, hidden, bpda);

    const Tensor points = attack("pgd", pgd_on_margins(), target, x, y, problem.epsilon);

    EXPECT_EQ(target.fooled(points), falls);
  }
}

// Every pixel rounded to the nearest of 17 levels: 0.5 is one, the edges are at 1/32 around it.
kit::InputLevels levels() {
  return kit::InputLevels(Params(kit::input_levels_params(), {{"input_levels", std::int64_t{17}}}));
}

Tensor quantised(const Tensor& x, OdeContext& context) {
  return levels()(x, context);
}

TEST(Quantised, StopsPgdThroughItsOwnGradientAndNotThroughAStandIn) {
  const Easy problem("pgd");
  const Tensor x = around(problem.x, 0.02);
  const Tensor y = at::zeros({10}, at::kLong);
  for (const auto& [bpda, falls] :
       {std::pair{Bpda::kNone, 0}, std::pair{Bpda::kIdentity, 10}, std::pair{Bpda::kSmooth, 10}}) {
    Behind target(problem, quantised, bpda);
    ASSERT_EQ(target.fooled(x), 0);

    const Tensor points = attack("pgd", pgd_on_margins(), target, x, y, problem.epsilon);

    EXPECT_EQ(target.fooled(points), falls);
    EXPECT_EQ(at::equal(points, x), bpda == Bpda::kNone);
  }
}

TEST(Quantised, AnswersTheSameWhateverStandsForItsDerivative) {
  const Easy problem("pgd");
  const Tensor x = around(problem.x, 0.5);
  const Tensor plain = Behind(problem, quantised, Bpda::kNone).answer(x);

  EXPECT_TRUE(at::equal(Behind(problem, quantised, Bpda::kIdentity).answer(x), plain));
  EXPECT_TRUE(at::equal(Behind(problem, quantised, Bpda::kSmooth).answer(x), plain));
}

// Its levels have the mean slope of the identity, and none where they are flat.
TEST(Quantised, HasTheDerivativeOfItsSmoothStaircase) {
  const torch::AutoGradMode with_grad(true);
  const Tensor x = at::linspace(0.01, 0.99, 50, kDouble).requires_grad_(true);
  BpdaContext context(Bpda::kSmooth);

  const Tensor slope = torch::autograd::grad({quantised(x, context).sum()}, {x})[0];

  const Tensor expected = 1 - (2 * 3.14159265358979323846 * 16 * x.detach()).cos();
  EXPECT_LE(max_difference(slope, expected), 1e-12);
}

TEST(Quantised, DoesNotStopTheSearchOverSquares) {
  const Easy problem("square");
  Behind target(problem, quantised, Bpda::kNone);
  const Tensor x = around(problem.x, 0.02);

  const Tensor points =
      attack("square", {}, target, x, at::zeros({10}, at::kLong), problem.epsilon);

  EXPECT_EQ(target.fooled(points), 10);
}

// Differences over less than half a level see a flat function, wider ones see the slope.
TEST(Quantised, IsSeenByDifferencesThatAreWideEnough) {
  const Easy problem("spsa");
  const Tensor x = around(problem.x, 0.005);
  for (const auto& [delta, falls] : {std::pair{0.02, 0}, std::pair{1.0 / 16, 10}}) {
    Behind target(problem, quantised, Bpda::kNone);

    const Tensor points =
        attack("spsa", {{"delta", delta}}, target, x, at::zeros({10}, at::kLong), problem.epsilon);

    EXPECT_EQ(target.fooled(points), falls) << delta;
  }
}

// x + a sin(omega (x - 1/2)) with a omega = 20 and omega = 200: near the image the slope is that of
// the wave, over the ball it is 1.
constexpr double kOmega = 200;
constexpr double kAmplitude = 0.1;

Tensor waved(const Tensor& x, OdeContext&) {
  return x - kAmplitude * (kOmega * (x - 0.5)).sin();
}

TEST(Wave, HasASlopeThatDependsOnTheStep) {
  // The estimate of sum f(x_j) has the mean (f(x_j + h) - f(x_j - h)) / 2h
  //   = 1 - a sin(omega h) cos(omega (x_j - 1/2)) / h, and with D = 8 a variance of the sum of the
  // squares of the other seven.
  const std::int64_t rows = 4000;
  const Tensor point = at::linspace(0.42, 0.57, 8, kDouble);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(rows));
  std::iota(ids.begin(), ids.end(), 0);
  SampleRandom random(5, ids);
  BpdaContext context(Bpda::kNone);
  const Tensor x = point.expand({rows, 8}).contiguous();
  const Tensor phase = (kOmega * (point - 0.5)).cos();
  const Tensor own = 1 - kAmplitude * kOmega * phase;
  for (const double h : {1e-4, 0.047}) {
    const Tensor mean =
        kit::spsa_gradient([&](const Tensor& p) { return waved(p, context).sum(1); },
                           [&](std::int64_t) { return random.signs(x); },
                           x,
                           h,
                           1,
                           0.0,
                           1.0)
            .mean(0);

    const Tensor expected = 1 - kAmplitude * std::sin(kOmega * h) / h * phase;
    const Tensor error = ((expected.square().sum() - expected.square()) / 4000.0).sqrt();
    EXPECT_LE(((mean - expected).abs() / error).max().item<double>(), 5.0) << h;
    const double cosine = ((expected * own).sum() / expected.norm() / own.norm()).item<double>();
    // 1e-4 is a small part of the wave; 0.047 on both sides is three periods, which cancel.
    EXPECT_EQ(cosine > 0.999, h < 1e-3) << cosine;
    EXPECT_EQ(cosine<0.5, h> 1e-3) << cosine;
  }
}

TEST(Wave, StopsPgdAndNotWhoLooksFurther) {
  const Easy problem("pgd");
  const Tensor y = at::zeros({10}, at::kLong);
  // At the image the wave's slope is 1 - 20 < 0: small steps go to the wrong side, and back.
  const Tensor x = around(problem.x, 0.0);
  Values small = pgd_on_margins();
  small["step_size"] = 0.0005;
  const auto fooled_by = [&](const char* id, const Values& values) {
    Behind target(problem, waved, Bpda::kNone);
    return target.fooled(attack(id, values, target, x, y, problem.epsilon));
  };

  EXPECT_EQ(fooled_by("pgd", small), 0);
  EXPECT_EQ(fooled_by("square", {}), 10);
  EXPECT_EQ(fooled_by("spsa", {{"delta", 0.06}, {"steps", std::int64_t{60}}}), 10);
}

// Weights drawn anew for every answer: W + sigma N on D pixels of slope 1.
class Randomised final : public Target {
 public:
  static constexpr std::int64_t kPixels = 4096;
  explicit Randomised(double sigma) : sigma_(sigma), random_(6, {0}) {}
  std::int64_t num_classes() const override { return 4; }
  bool is_batch_independent() const override { return true; }

 private:
  Tensor answer(const Tensor& x) {
    const Tensor like = at::empty({1, kPixels}, kDouble);
    const Tensor u = 1 + sigma_ * random_.normal(like).squeeze(0);
    const Tensor lead = at::mv(x.flatten(1), u) - 0.25 * kPixels;
    const Tensor zero = at::zeros_like(lead);
    return at::stack({lead, zero, zero - 1e4, zero - 2e4}, 1);
  }
  Tensor do_logits(const Tensor& x, const Tensor&) override { return answer(x); }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    return differentiate(
        x, [this](const Tensor& p) { return answer(p); }, loss);
  }
  double sigma_;
  SampleRandom random_;
};

// A pixel's gradient 1 + sigma N has the right sign with probability Phi(1 / sigma), the mean of 20
// with Phi(sqrt(20) / sigma): the variance is cut by 20.
TEST(Randomised, IsSeenThroughByTheMeanOfTwentyGradients) {
  const double sigma = 2;
  const Tensor x = at::full({1, 1, 64, 64}, 0.5, kDouble);
  for (const std::int64_t draws : {1, 20}) {
    Randomised target(sigma);
    Values values = pgd_on_margins();
    values["keep"] = std::string("last");
    values["steps"] = std::int64_t{1};
    values["step_size"] = 0.01;
    values["eot"] = draws;

    const Tensor point = attack("pgd", values, target, x, at::zeros({1}, at::kLong), 0.01);

    const double share = (point < x).to(at::kDouble).mean().item<double>();
    const double z = std::sqrt(static_cast<double>(draws)) / sigma;
    const double expected = 0.5 * std::erfc(-z / std::sqrt(2.0));
    // The share of 4096 coins deviates by sqrt(p (1 - p) / 4096); five times that.
    EXPECT_NEAR(share, expected, 5 * std::sqrt(expected * (1 - expected) / 4096)) << draws;
  }
}

// A gradient that points the other way: following it is worse than noise.
class Reversed final : public Target {
 public:
  explicit Reversed(const Easy& problem) : inner_(problem.target()) {}
  std::int64_t num_classes() const override { return inner_.num_classes(); }
  bool is_batch_independent() const override { return true; }

 private:
  Tensor do_logits(const Tensor& x, const Tensor&) override { return inner_.answer(x); }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    LossGradient result = differentiate(
        x, [this](const Tensor& p) { return inner_.answer(p); }, loss);
    result.gradient = -result.gradient;
    return result;
  }
  LinearTarget inner_;
};

TEST(ReversedGradient, MakesNoiseTheBetterAttack) {
  Easy problem("pgd");
  // Within reach of noise: one standard deviation of a corner's gain.
  const double gain = problem.epsilon * problem.two.l2;
  problem.bias[0] = problem.bias[0] + gain - 0.5 * problem.epsilon * problem.two.l1;
  Reversed target(problem);
  const Values still = {{"random_start", false}};

  const Tensor by_gradient = attack("pgd", still, target, problem.x, problem.y, problem.epsilon);
  const Tensor by_noise = attack("random_noise", {}, target, problem.x, problem.y, problem.epsilon);

  EXPECT_FALSE(problem.is_fooled(by_gradient));
  EXPECT_TRUE(problem.is_fooled(by_noise));
}

}  // namespace
}  // namespace unmask::test::masked_models_test
