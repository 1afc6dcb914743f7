// What every attack does on a stand-in, a network whose images another one judges: fooling it ends
// nothing, so the attack spends its budget on the largest margin. Runs over all attacks in the plugin
// folder.

#include <torch/types.h>

#include <gtest/gtest.h>

#include "conformance/attack_problem.hpp"
#include "conformance/subjects.hpp"

namespace unmask::test::attack_stand_in_test {
namespace {

class AttackOnAStandIn : public testing::TestWithParam<std::string> {
 protected:
  static Tensor run(const Values& values, Target& target, const Problem& problem, double epsilon) {
    return attack(GetParam(), values, target, problem.x, problem.y, epsilon);
  }

  // A radius at which most samples of the problem fall, alike in all norms: 16 pixels.
  static double radius(const Values& values) {
    const Norm norm = make_plugin<Attack>("attack", GetParam(), values)->norm();
    return 0.3 * (norm == Norm::kL1 ? 16 : norm == Norm::kL2 ? 4 : 1);
  }

  // Makes one point, whatever happens.
  static bool has_one_shot() { return GetParam() == "none" || GetParam() == "fgsm"; }
};

TEST_P(AttackOnAStandIn, GoesOnForTheLargestMargin) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    const double epsilon = radius(values);
    LinearTarget judge = problem.target();
    LinearTarget stand_in = problem.target();
    stand_in.stand_in();

    const Tensor there = run(values, judge, problem, epsilon);
    const Tensor here = run(values, stand_in, problem, epsilon);

    // The same points and more: rounding of sums over 16 pixels apart.
    const Tensor gain = per_sample_loss(judge.answer(here), problem.y, Loss::kMargin) -
                        per_sample_loss(judge.answer(there), problem.y, Loss::kMargin);
    EXPECT_GE(gain.min().item<double>(), -1e-12);
    if (!has_one_shot()) {
      EXPECT_GT(gain.max().item<double>(), 1e-3);
    }
  }
}

// Nobody falls at a radius of 1e-6. (The cost of a search for the smallest perturbation depends on
// where it finds something.)
TEST_P(AttackOnAStandIn, AsksAsOftenWhetherItFallsOrNot) {
  if (has_capability(GetParam(), "asks_outside_ball")) return;
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    LinearTarget falls = problem.target();
    LinearTarget stands = problem.target();

    run(values, falls.stand_in(), problem, radius(values));
    run(values, stands.stand_in(), problem, 1e-6);

    EXPECT_EQ(falls.forward_passes(), stands.forward_passes());
    EXPECT_EQ(falls.backwards(), stands.backwards());
  }
}

TEST_P(AttackOnAStandIn, StaysInTheBall) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem(at::kFloat);
    const double epsilon = radius(values);
    const Norm norm = make_plugin<Attack>("attack", GetParam(), values)->norm();
    LinearTarget target = problem.target();

    const Tensor point = run(values, target.stand_in(), problem, epsilon);

    EXPECT_LE(distance(point, problem.x, norm).max().item<double>(), epsilon * (1 + 1e-6) + 1e-7);
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         AttackOnAStandIn,
                         testing::ValuesIn(plugin_ids("attack")),
                         [](const auto& i) { return i.param; });

}  // namespace
}  // namespace unmask::test::attack_stand_in_test
