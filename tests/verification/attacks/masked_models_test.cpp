// Networks that hide their gradients in known ways: which attacks are stopped, and which are not.

#include <string>
#include <vector>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "support/linear_target.hpp"

namespace unmask::test {
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

// Answers of a network that sees every pixel rounded down to a sixteenth: the derivative is zero
// almost everywhere.
class Quantised final : public Target {
 public:
  explicit Quantised(const Easy& problem) : inner_(problem.target()) {}
  std::int64_t num_classes() const override { return inner_.num_classes(); }
  bool is_batch_independent() const override { return true; }
  Tensor answer(const Tensor& x) const { return inner_.answer((x * 16).floor() / 16); }

 private:
  Tensor do_logits(const Tensor& x, const Tensor&) override { return answer(x); }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    return differentiate(
        x, [this](const Tensor& p) { return answer(p); }, loss);
  }
  LinearTarget inner_;
};

TEST(Quantised, StopsGradientsAndNotTheSearchOverSquares) {
  const Easy problem("square");
  Quantised target(problem);
  // The image sits on a step of the quantiser: the label's margin is that of the plain network.
  ASSERT_EQ(target.answer(problem.x).argmax(1).item<std::int64_t>(), 0);
  const Values still = {{"random_start", false}, {"loss", std::string("margin")}};

  const Tensor by_gradient = attack("pgd", still, target, problem.x, problem.y, problem.epsilon);
  const Tensor by_squares = attack("square", {}, target, problem.x, problem.y, problem.epsilon);
  const Tensor by_spsa =
      attack("spsa", {{"delta", 0.07}}, target, problem.x, problem.y, problem.epsilon);

  EXPECT_TRUE(at::equal(by_gradient, problem.x));
  EXPECT_NE(target.answer(by_squares).argmax(1).item<std::int64_t>(), 0);
  EXPECT_NE(target.answer(by_spsa).argmax(1).item<std::int64_t>(), 0);
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
}  // namespace unmask::test
