// The definitions of experiments/attacks/paper.json: they are what the paper's program does, and
// they have the weaknesses that they name, which the definitions next to them have not.

#include <cmath>
#include <filesystem>
#include <fstream>

#include <torch/types.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::paper_attacks_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);

struct Definition {
  std::string plugin;
  Values values;
};

// Options of the host are left out, fractions are computed.
Definition shipped(const std::string& name) {
  std::ifstream file(std::string(UNMASK_SOURCE_DIR) + "/experiments/attacks/paper.json");
  const auto all = nlohmann::json::parse(file, nullptr, true, /*ignore_comments=*/true)
                       .at("define")
                       .at("attack");
  const auto& own = all.at(name);
  Definition result;
  if (own.contains("extends")) {
    result = shipped(own.at("extends").get<std::string>());
  } else {
    result.plugin = own.at("plugin").get<std::string>();
  }
  const auto& params = own.at("params");
  for (const ParamSpec& spec : plugin_descriptor("attack", result.plugin).info().params) {
    if (!params.contains(spec.name)) continue;
    const auto& value = params.at(spec.name);
    if (value.is_boolean()) {
      result.values[spec.name] = value.get<bool>();
    } else if (spec.type == ParamType::kInteger) {
      result.values[spec.name] = value.get<std::int64_t>();
    } else if (spec.type == ParamType::kReal) {
      result.values[spec.name] = value.is_string() ? 1.0 / 256 : value.get<double>();
    } else {
      result.values[spec.name] = value.get<std::string>();
    }
  }
  return result;
}

Tensor run(
    const std::string& name, Target& target, const Tensor& x, const Tensor& y, double epsilon) {
  const Definition definition = shipped(name);
  return attack(definition.plugin, definition.values, target, x, y, epsilon);
}

// The recorded point of a gradient call.
double moved(const LinearTarget& target, std::size_t call, const Tensor& x, Norm norm) {
  return distance(target.calls().at(call).x, x, norm).item<double>();
}

TEST(PaperPgd, ReachesTheCornerInExactlyElevenSteps) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();
  target.recording();

  run("paper-pgd-linf-20", target, problem.x, problem.y, 0.031);

  // Call k sees the point after k steps of 0.003; ten steps make 0.030, the eleventh is cut. The
  // projection leaves one part in 10^7.
  EXPECT_EQ(target.calls().size(), 20U);
  EXPECT_NEAR(moved(target, 0, problem.x, Norm::kLinf), 0.0, 0.0);
  EXPECT_NEAR(moved(target, 10, problem.x, Norm::kLinf), 0.030, 1e-14);
  EXPECT_LE(max_difference(target.calls()[11].x, problem.corner(0.031)), 0.031 * 1.1e-7 + 1e-14);
}

TEST(PaperPgd, MakesAllOfItsThousandSteps) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();

  run("paper-pgd-linf-1000", target, problem.x, problem.y, 0.031);

  EXPECT_EQ(target.backwards(), 1000);
  EXPECT_EQ(target.forwards(), 0);
}

// Steps of 0.1 g / (g + 1e-6), with g = ||u||_2 / (1 + exp(margin)): hardly shorter than 0.1 where the
// network is in doubt.
TEST(PaperPgd, ReachesTheSurfaceInL2InSixSteps) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();
  target.recording();

  run("paper-pgd-l2-20", target, problem.x, problem.y, 0.5);

  double expected = 0;
  for (int i = 0; i < 5; ++i) {
    const double g = problem.l2 / (1 + std::exp(6.0 - expected * problem.l2));
    expected += 0.1 * g / (g + 1e-6);
  }
  EXPECT_NEAR(moved(target, 5, problem.x, Norm::kL2), expected, 1e-12);
  EXPECT_NEAR(moved(target, 6, problem.x, Norm::kL2), 0.5, 0.5 * 1.1e-7);
}

// Logits times five: the gradient of cross-entropy is 3e-13, its direction is right, and divided by
// 1e-6 it is no step at all.
TEST(PaperPgd, StandsStillInL2OnAConfidentNetworkAndExactStepsDoNot) {
  const Binary problem(0.5 * 0.5 * Binary(1.0).l2);
  Definition definition = shipped("paper-pgd-l2-1000");
  LinearTarget paper = problem.target();
  LinearTarget exact = problem.target();
  const double scale = 30 / problem.margin_at(problem.x);
  paper.scaled(scale);
  exact.scaled(scale);

  const Tensor here =
      attack(definition.plugin, definition.values, paper, problem.x, problem.y, 0.5);
  definition.values["l2_offset"] = 0.0;
  const Tensor there =
      attack(definition.plugin, definition.values, exact, problem.x, problem.y, 0.5);

  EXPECT_FALSE(problem.is_fooled(here));
  EXPECT_LT(distance(here, problem.x, Norm::kL2).item<double>(), 0.01);
  EXPECT_TRUE(problem.is_fooled(there));
}

// Logits times 10^4 in float32: the softmax is one and zero, cross-entropy has no gradient.
TEST(PaperPgd, IsStoppedByHugeLogitsAndTheMarginIsNot) {
  const Binary problem(0.5 * 0.031 * Binary(1.0).l1, 16, at::kFloat);
  for (const auto& [name, falls] :
       {std::pair{"paper-pgd-linf-1000", false}, std::pair{"pgd-margin", true}}) {
    LinearTarget target = problem.target();
    target.scaled(1e4);

    const Tensor point = run(name, target, problem.x, problem.y, 0.031);

    EXPECT_EQ(problem.is_fooled(point), falls) << name;
  }
}

// u = 2.5 in 16 pixels, ||u||_2 = 10, and a margin of 4.5: the smallest l2 perturbation is 0.45, in
// reach of 0.5. The weight that it needs is 2 d* / ||u|| = 0.09; with 0.01 the optimum stays at
// c ||u|| / 2 = 0.05.
struct Steep {
  Steep() {
    const Tensor u = at::full({16}, 2.5, kDouble);
    weight = at::stack({u, at::zeros_like(u)});
    bias = at::tensor({4.5 - 0.5 * 16 * 2.5, 0.0}, kDouble);
  }
  LinearTarget target() const { return {weight, bias}; }
  bool is_fooled(const Tensor& point) const {
    return target().answer(point).argmax(1).item<std::int64_t>() != 0;
  }
  Tensor weight, bias;
  Tensor x = at::full({1, 1, 4, 4}, 0.5, kDouble);
  Tensor y = at::zeros({1}, at::kLong);
};

TEST(PaperCwL2, FailsWhereTheSearchForTheWeightSucceeds) {
  const Steep problem;
  LinearTarget fixed = problem.target();
  LinearTarget searched = problem.target();

  const Tensor paper = run("paper-cw-l2", fixed, problem.x, problem.y, 0.5);
  const Tensor ours = run("cw-l2", searched, problem.x, problem.y, 0.5);

  EXPECT_TRUE(at::equal(paper, problem.x));
  EXPECT_TRUE(problem.is_fooled(ours));
  EXPECT_LE(fixed.backwards(), 100);
}

// ||u||_2 = 0.4: a margin of 0.0004 is at a distance of 0.001 and needs a weight of 0.005.
TEST(PaperCwL2, ShrinksWhatItFindsToTheBallAndLeavesIfInside) {
  const Tensor u = at::full({16}, 0.1, kDouble);
  const Tensor x = at::full({1, 1, 4, 4}, 0.5, kDouble);
  const Tensor y = at::zeros({1}, at::kLong);
  const auto found = [&](double epsilon) {
    LinearTarget target(at::stack({u, at::zeros_like(u)}),
                        at::tensor({0.0004 - 0.5 * 16 * 0.1, 0.0}, kDouble));
    const Tensor point = run("paper-cw-l2", target, x, y, epsilon);
    return std::pair{distance(point, x, Norm::kL2).item<double>(),
                     target.answer(point).argmax(1).item<std::int64_t>()};
  };

  // Adam's steps are 0.0025 a pixel, 0.01 for sixteen.
  const auto [inside, inside_class] = found(0.5);
  EXPECT_GE(inside, 0.001);
  EXPECT_LE(inside, 0.02);
  EXPECT_EQ(inside_class, 1);
  const auto [cut, cut_class] = found(0.0005);
  EXPECT_NEAR(cut, 0.0005, 0.0005 * 1.1e-7);
  EXPECT_EQ(cut_class, 0);
}

// The bound of the first run is the whole box: no weight is too small for it, and Adam moves every
// pixel by half its rate a step (the slope of the box is 1/2), so that it lands at most that far
// behind the boundary.
TEST(PaperCwLinf, FindsTheBoundaryOfALinearNetworkAndStaysInTheBall) {
  const Steep problem;
  const double minimal = 4.5 / 40;
  for (const auto& [epsilon, falls] :
       {std::pair{minimal + 0.0025, true}, std::pair{minimal - 0.0025, false}}) {
    LinearTarget target = problem.target();

    const Tensor point = run("paper-cw-linf", target, problem.x, problem.y, epsilon);

    EXPECT_LE(distance(point, problem.x, Norm::kLinf).item<double>(), epsilon);
    EXPECT_EQ(problem.is_fooled(point), falls);
  }
}

// ||u||_1 = 3200 and a margin of 320: d* = 0.1. The pull of c |u_i| = 2 beats the push of 1 against the
// bound, so under bounds below d* the points swing about the boundary: some err, none of them near the
// bound. The program goes on to the last bound; a search that asks for the bound to be met ends.
TEST(PaperCwLinf, GoesOnWhileAnyPointErrs) {
  const Tensor u = at::full({16}, 200.0, kDouble);
  const Tensor x = at::full({1, 1, 4, 4}, 0.5, kDouble);
  const Tensor y = at::zeros({1}, at::kLong);
  const auto gradients = [&](const char* success) {
    Definition definition = shipped("paper-cw-linf");
    EXPECT_EQ(std::get<std::string>(definition.values.at("success")), "any");
    definition.values["success"] = std::string(success);
    LinearTarget target(at::stack({u, at::zeros_like(u)}),
                        at::tensor({320.0 - 0.5 * 16 * 200, 0.0}, kDouble));
    const Tensor point = attack(definition.plugin, definition.values, target, x, y, 0.11);
    EXPECT_EQ(target.answer(point).argmax(1).item<std::int64_t>(), 1) << success;
    return target.backwards();
  };

  // From 0.1 to 1/256 there are 31 bounds, each of them with its steps.
  EXPECT_GT(gradients("any"), 31 * 10);
  EXPECT_GT(gradients("any"), 3 * gradients("objective"));
}

TEST(PaperCwLinf, TriesOneWeightWhereTheSearchTriesTwentyOne) {
  const Binary problem(10.0);  // out of reach of the whole box: 0.5 ||u||_1 is 4.1
  LinearTarget fixed = problem.target();
  LinearTarget searched = problem.target();

  Definition ours = shipped("cw-linf");
  ours.values["steps"] = std::int64_t{100};  // as many as the paper's, to compare

  run("paper-cw-linf", fixed, problem.x, problem.y, 0.1);
  attack(ours.plugin, ours.values, searched, problem.x, problem.y, 0.1);

  EXPECT_LE(fixed.backwards(), 100);
  EXPECT_GT(searched.backwards(), 10 * fixed.backwards());
}

TEST(PaperSpsa, AsksThirtyTwoTimesAStepAndStopsWhereItHasFooled) {
  const Binary far(6.0);
  const Binary near(1e-4);
  LinearTarget never = far.target();
  LinearTarget at_once = near.target();

  run("paper-spsa", never, far.x, far.y, 0.031);
  run("paper-spsa", at_once, near.x, near.y, 0.031);

  EXPECT_EQ(never.forwards(), 20 * (32 + 1));
  EXPECT_EQ(at_once.forwards(), 32 + 1);
}

TEST(PaperSpsa, StartsInTheBallAndMovesAPixelByTheRateInItsFirstStep) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();
  target.recording();

  run("paper-spsa", target, problem.x, problem.y, 0.031);

  // The first pair of queries lies on both sides of the start.
  const Tensor start = (target.calls().at(0).x + target.calls().at(1).x) / 2;
  const Tensor away = (start - problem.x).abs();
  EXPECT_LE(away.max().item<double>(), 0.031);
  EXPECT_GT(away.max().item<double>(), 0.02);
  EXPECT_GT(away.std().item<double>(), 0.004);
  // Adam's first step is g / (|g| + 1e-8): the rate in every pixel whose estimate is not tiny.
  const Tensor step = (target.calls().at(32).x - start).abs();
  EXPECT_NEAR(step.max().item<double>(), 0.01, 1e-8);
}

TEST(PaperDefinitions, NameTheirWeakness) {
  std::ifstream file(std::string(UNMASK_SOURCE_DIR) + "/experiments/attacks/paper.json");
  const auto all = nlohmann::json::parse(file, nullptr, true, true).at("define").at("attack");
  for (const auto& [name, definition] : all.items()) {
    const auto text = definition.at("description").get<std::string>();
    const bool is_of_the_paper = name.starts_with("paper-");
    EXPECT_EQ(text.find("eak") != std::string::npos, is_of_the_paper) << name;
  }
}

}  // namespace
}  // namespace unmask::test::paper_attacks_test
