// Attacks that look for the smallest perturbation, on linear classifiers whose smallest
// perturbation d* is known.

#include <cmath>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "unmask/kit/attack/cw.hpp"
#include "unmask/kit/attack/fab.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::minimum_norm_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);
constexpr double kFar = 100;  // a ball that holds every perturbation

double moved(const Tensor& point, const Tensor& x, Norm norm) {
  return distance(point, x, norm).max().item<double>();
}

Values with_norm(Norm norm, Values values = {}) {
  values["norm"] = std::string(name_of(norm));
  return values;
}

class DeepFool : public testing::TestWithParam<Norm> {};

TEST_P(DeepFool, NeedsOneStepBetweenTwoClasses) {
  const Binary problem(0.3);
  LinearTarget target = problem.target();

  const Tensor point =
      attack("deepfool", with_norm(GetParam()), target, problem.x, problem.y, kFar);

  const double minimal = 0.3 / problem.reach(GetParam());
  EXPECT_NEAR(moved(point, problem.x, GetParam()) / (1.02 * minimal), 1.0, 1e-5);
  EXPECT_EQ(target.backwards(), 2);  // at the image, and at the point that fools
}

TEST_P(DeepFool, FindsTheNearestOfManyClasses) {
  const ManyClasses problem;
  LinearTarget target = problem.target();

  const Tensor points =
      attack("deepfool", with_norm(GetParam()), target, problem.x, problem.y, kFar);

  const Tensor ratio = distance(points, problem.x, GetParam()) / problem.minimal(GetParam());
  EXPECT_LE(ratio.max().item<double>(), 1.02 * (1 + 1e-5));
  EXPECT_GE(ratio.min().item<double>(), 1.0);
}

TEST_P(DeepFool, LeavesATieOfLogits) {
  // A tie does not fool, and its distance to the boundary is zero.
  const Binary problem(0.0);
  LinearTarget target = problem.target();

  const Tensor point =
      attack("deepfool", with_norm(GetParam()), target, problem.x, problem.y, kFar);

  EXPECT_TRUE(problem.is_fooled(point));
}

INSTANTIATE_TEST_SUITE_P(Norms,
                         DeepFool,
                         testing::Values(Norm::kL2, Norm::kLinf),
                         [](const auto& i) { return name_of(i.param); });

Values cw(std::int64_t search_steps, double initial_c = 1e-3) {
  return {{"search_steps", search_steps}, {"initial_c", initial_c}, {"minimise", true}};
}

TEST(CwL2, ComesCloseToTheSmallestPerturbation) {
  const Binary problem(0.3);
  LinearTarget target = problem.target();

  const Tensor point = attack("cw_l2", cw(9), target, problem.x, problem.y, kFar);

  const double ratio = moved(point, problem.x, Norm::kL2) / (0.3 / problem.l2);
  EXPECT_GE(ratio, 1 - 1e-4);
  EXPECT_LE(ratio, 1.02);
  EXPECT_TRUE(problem.is_fooled(point));
}

// c* = 2 d* / ||u||: with d* = 0.5 and ||u|| = 10 a weight of 0.01 stops at 0.05.
struct Steep {
  Steep() {
    const Tensor u = at::full({16}, 2.5, kDouble);  // ||u|| = 10
    weight = at::stack({u, at::zeros_like(u)});
    bias = at::tensor({5.0 - 0.5 * 16 * 2.5, 0.0}, kDouble);  // a margin of 5 at x = 0.5
  }
  LinearTarget target() const { return {weight, bias}; }
  Tensor weight, bias;
  Tensor x = at::full({1, 1, 4, 4}, 0.5, kDouble);
  Tensor y = at::zeros({1}, at::kLong);
};

TEST(CwL2, FailsWithTheFixedWeightOfThePaper) {
  const Steep problem;
  LinearTarget target = problem.target();

  const Tensor point = attack("cw_l2", cw(1, 1e-2), target, problem.x, problem.y, kFar);

  EXPECT_TRUE(at::equal(point, problem.x));
}

TEST(CwL2, SucceedsWhereItSearchesForTheWeight) {
  const Steep problem;
  LinearTarget target = problem.target();

  const Tensor point = attack("cw_l2", cw(9, 1e-2), target, problem.x, problem.y, kFar);

  EXPECT_NEAR(moved(point, problem.x, Norm::kL2), 0.5, 0.02 * 0.5);
}

TEST(CwL2, EndsASampleAsSoonAsItFallsInsideTheBall) {
  const Binary problem(0.3);
  LinearTarget patient = problem.target();
  LinearTarget hasty = problem.target();

  attack("cw_l2", cw(9), patient, problem.x, problem.y, kFar);
  const Tensor point = attack("cw_l2", {}, hasty, problem.x, problem.y, kFar);

  EXPECT_TRUE(problem.is_fooled(point));
  EXPECT_LT(hasty.backwards() * 2, patient.backwards());
}

// An implementation that hides the true class with a zero instead of minus infinity takes the
// margin of negative logits for -z_y and never sees the other class.
TEST(CwL2, WorksWhenAllLogitsAreNegative) {
  Binary problem(0.3);
  problem.bias = problem.bias - 40;
  LinearTarget target = problem.target();

  const Tensor point = attack("cw_l2", cw(9), target, problem.x, problem.y, kFar);

  EXPECT_TRUE(problem.is_fooled(point));
  EXPECT_LE(moved(point, problem.x, Norm::kL2), 1.02 * 0.3 / problem.l2);
}

// atanh(+-1) is infinite: without the small shrink nothing would ever move again.
TEST(CwL2, MovesPixelsThatStandAtTheBorderOfTheBox) {
  Binary problem(0.3);
  // Pixels at the ends from which the attack has to come inwards.
  problem.x = (problem.u > 0).to(at::kDouble).view({1, 1, 1, 16});
  problem.bias[0] = 0.3 - (problem.x.flatten() * problem.u).sum();
  LinearTarget target = problem.target();

  const Tensor point = attack("cw_l2", cw(9), target, problem.x, problem.y, kFar);

  EXPECT_TRUE(point.isfinite().all().item<bool>());
  EXPECT_TRUE(problem.is_fooled(point));
}

// The objective of a sample out of reach stands still, and is so large that in a sum over the batch
// it would drown the others.
TEST(CwL2, GoesOnForASampleWhoseNeighbourStalls) {
  const Steep problem;
  // The neighbour sees the same two classes from the far end of the box: its margin is 25.
  const Tensor x = at::cat({problem.x, at::ones_like(problem.x)});
  const Tensor y = at::zeros({2}, at::kLong);
  LinearTarget pair = problem.target();
  LinearTarget single = problem.target();

  const Tensor both = attack("cw_l2", cw(5, 1e-2), pair, x, y, kFar);
  const Tensor alone = attack("cw_l2", cw(5, 1e-2), single, problem.x, problem.y, kFar);

  EXPECT_TRUE(at::allclose(both.narrow(0, 0, 1), alone, 0, 1e-12));
}

TEST(StallDetector, SpeaksForEverySampleAlone) {
  kit::StallDetector stalls(at::zeros({2}, kDouble), 20);
  stalls.stalled(0, at::tensor({10.0, 1e6}, kDouble));

  const Tensor result = stalls.stalled(2, at::tensor({9.0, 1e6}, kDouble));

  EXPECT_FALSE(result[0].item<bool>());
  EXPECT_TRUE(result[1].item<bool>());
}

TEST(WeightSearch, ClosesInOnTheWeightThatIsNeeded) {
  kit::WeightSearch search(at::zeros({3}, kDouble), 1e-2);
  const Tensor needed = at::tensor({0.1, 0.0033, 17.0}, kDouble);

  for (int round = 0; round < 12; ++round) search.update(search.weights() >= needed);

  // Two powers of ten at most, then halvings: the bracket of a decade shrinks 2^-8 at least.
  EXPECT_TRUE((search.upper() >= needed).all().item<bool>());
  EXPECT_TRUE((search.upper() <= needed * (1 + 10.0 / 128)).all().item<bool>());
}

TEST(CwLinf, ComesWithinOneShrinkOfTheSmallestPerturbation) {
  const Binary problem(0.3);
  LinearTarget target = problem.target();

  const Tensor point = attack("cw_linf", {{"minimise", true}}, target, problem.x, problem.y, kFar);

  const double minimal = 0.3 / problem.l1;
  ASSERT_GT(minimal, 1.0 / 256);
  EXPECT_GE(moved(point, problem.x, Norm::kLinf), minimal);
  EXPECT_LE(moved(point, problem.x, Norm::kLinf), 1.15 * minimal);
  EXPECT_TRUE(problem.is_fooled(point));
}

TEST(CwLinf, GivesUpASampleThatCannotFall) {
  const Binary problem(10.0);  // out of reach of the whole box: 0.5 ||u||_1 is 4.1
  LinearTarget target = problem.target();

  const Tensor point =
      attack("cw_linf", {{"steps", std::int64_t{20}}}, target, problem.x, problem.y, 0.1);

  EXPECT_TRUE(at::equal(point, problem.x));
  // 1e-5 doubles 21 times before it exceeds 20.
  EXPECT_LE(target.backwards(), 22 * 20);
}

class Fab : public testing::TestWithParam<Norm> {};

TEST_P(Fab, ComesCloseToTheSmallestPerturbation) {
  const Binary problem(0.3);
  LinearTarget target = problem.target();
  const Values values =
      with_norm(GetParam(), {{"minimise", true}, {"final_search", std::int64_t{0}}});

  const Tensor point = attack("fab", values, target, problem.x, problem.y, kFar);

  const double ratio = moved(point, problem.x, GetParam()) / (0.3 / problem.reach(GetParam()));
  EXPECT_GE(ratio, 1.0);
  EXPECT_LE(ratio, 1.006);
}

// The steps end at 1.00521 d*; each answer of the last search leaves an eighth of the rest.
TEST_P(Fab, ClosesInOnTheBoundaryAtLast) {
  const Binary problem(0.3);
  for (const std::int64_t answers : {0, 1, 2, 3}) {
    LinearTarget target = problem.target();
    const Values values = with_norm(GetParam(), {{"minimise", true}, {"final_search", answers}});

    const Tensor point = attack("fab", values, target, problem.x, problem.y, kFar);

    const double ratio = moved(point, problem.x, GetParam()) / (0.3 / problem.reach(GetParam()));
    // The margins of 0.3 and 0.0016 are sums of 16 products below 1 in float64: the ratio is good
    // to 1e-12, and 1.00521 itself to 1e-5.
    EXPECT_NEAR((ratio - 1) * std::pow(8.0, static_cast<double>(answers)), 0.00521, 1e-5);
    EXPECT_TRUE(problem.is_fooled(point));
    EXPECT_EQ(target.forwards(), 1 + 100 + answers);
  }
}

// One of two samples is found; the other one's answers are not asked for.
TEST_P(Fab, SearchesAtLastForThoseThatWereFoundOnly) {
  const Binary problem(0.3);
  const Tensor x = at::cat({problem.x, problem.x});
  LinearTarget target = problem.target();
  target.recording();
  Values values = with_norm(GetParam(), {{"steps", std::int64_t{5}}});
  // The second label is the class that loses: wrong from the start, nothing to search.
  const Tensor y = at::tensor({0, 1}, at::kLong);

  attack("fab", values, target, x, y, 0.5 * 0.3 / problem.reach(GetParam()));

  const Call& last = target.calls().back();
  EXPECT_EQ(last.x.size(0), 1);
  EXPECT_EQ(last.rows.item<std::int64_t>(), 0);
}

TEST_P(Fab, GoesThroughTheKnownDistances) {
  const Binary problem(0.3);
  LinearTarget target = problem.target();
  target.recording();

  attack("fab",
         with_norm(
             GetParam(),
             {{"minimise", true}, {"steps", std::int64_t{4}}, {"final_search", std::int64_t{0}}}),
         target,
         problem.x,
         problem.y,
         kFar);

  // Overshoot 1.05 from the image; then each time 0.9 of the way back, and the nearer plane counts
  // for more: 1.05, 1.0052, 1.0087, 1.0084 of d*.
  std::vector<double> ratios;
  for (std::size_t i = 1; i < target.calls().size(); ++i) {
    if (target.calls()[i].is_gradient) continue;
    ratios.push_back(moved(target.calls()[i].x, problem.x, GetParam()) * problem.reach(GetParam()) /
                     0.3);
  }
  ASSERT_EQ(ratios.size(), 4U);
  double before = 1.0;
  double start = 0.0;
  for (const double ratio : ratios) {
    const double near = std::abs(1 - start);
    const double bias = std::min(near / (near + 1), 0.1);
    before = (1 - bias) * (start + 1.05 * (1 - start)) + bias * 1.05;
    EXPECT_NEAR(ratio, before, 1e-9);
    start = 0.9 * before;
  }
  EXPECT_NEAR(ratios[1], 1.00521, 1e-5);
}

TEST_P(Fab, FindsTheNearestOfManyClasses) {
  const ManyClasses problem;
  for (const char* id : {"fab", "fab_t"}) {
    LinearTarget target = problem.target();

    const Tensor points =
        attack(id, with_norm(GetParam(), {{"minimise", true}}), target, problem.x, problem.y, kFar);

    const Tensor ratio = distance(points, problem.x, GetParam()) / problem.minimal(GetParam());
    EXPECT_LE(ratio.max().item<double>(), 1.006) << id;
    EXPECT_GE(ratio.min().item<double>(), 1.0) << id;
  }
}

TEST_P(Fab, CostsOneGradientPerClassAndOneAnswerAStep) {
  const ManyClasses problem(5, 1);
  LinearTarget all = problem.target();
  LinearTarget targeted = problem.target();
  const Values values = with_norm(GetParam(), {{"steps", std::int64_t{10}}});

  attack("fab", values, all, problem.x, problem.y, 1e-5);
  attack("fab_t", values, targeted, problem.x, problem.y, 1e-5);

  // The boundary lies outside the ball: three answers for the last search.
  EXPECT_EQ(all.backwards(), 10 * 4);
  EXPECT_EQ(all.forwards(), 10 + 1 + 3);
  EXPECT_EQ(all.forward_passes(), 2 * 10 + 1 + 3);  // four gradients share a forward pass
  EXPECT_EQ(targeted.backwards(), 4 * 10);
  EXPECT_EQ(targeted.forward_passes(), 4 * 2 * 10 + 1 + 3);
}

INSTANTIATE_TEST_SUITE_P(Norms,
                         Fab,
                         testing::Values(Norm::kLinf, Norm::kL2, Norm::kL1),
                         [](const auto& i) { return name_of(i.param); });

// The shortest step to a plane inside a box against bisection on the Lagrange multiplier.
class StepToPlane : public testing::TestWithParam<Norm> {
 protected:
  static constexpr std::int64_t kRows = 200;
  StepToPlane() {
    std::vector<std::int64_t> ids(kRows);
    for (std::int64_t i = 0; i < kRows; ++i) ids[static_cast<std::size_t>(i)] = i;
    SampleRandom random(21, ids);
    x = random.uniform(at::empty({kRows, 12}, kDouble), -0.3, 1.3).clamp(0, 1);
    slope = random.normal(x);
    slope.select(1, 4).zero_();
    gain = random.normal(x.select(1, 0)) * 2;
  }
  Threat threat() const { return {GetParam(), 1.0, 0.0, 1.0}; }
  // The room of every pixel in the direction that gains.
  Tensor room() const {
    const Tensor w = slope * gain.sign().unsqueeze(1);
    return at::where(w > 0, 1 - x, x);
  }
  Tensor reachable() const { return (slope.abs() * room()).sum(1); }
  Tensor x, slope, gain;
};

TEST_P(StepToPlane, ReachesThePlaneWhereTheBoxAllows) {
  const Tensor step = kit::step_to_plane(x, slope, gain, threat());

  const Tensor reached = (slope * step).sum(1);
  const Tensor wanted = at::minimum(gain.abs(), reachable()) * gain.sign();
  EXPECT_LE(max_difference(reached, wanted), 1e-12);
  EXPECT_GE((x + step).min().item<double>(), -1e-15);
  EXPECT_LE((x + step).max().item<double>(), 1 + 1e-15);
}

TEST_P(StepToPlane, IsTheShortest) {
  const Tensor step = kit::step_to_plane(x, slope, gain, threat());

  // Shortest steps are min(pace * t, room), or whole pixels in the order of their slope for l1:
  // bisection on t gives the oracle's length.
  Tensor low = at::zeros({kRows, 1}, kDouble);
  Tensor high = at::full({kRows, 1}, 1e6, kDouble);
  const Tensor size = slope.abs();
  const auto at_time = [&](const Tensor& t) {
    if (GetParam() == Norm::kL2) return at::minimum(size * t, room());
    if (GetParam() == Norm::kLinf) return at::minimum(size.gt(0).to(at::kDouble) * t, room());
    // Pixels steeper than 1 / t are used up; the one at the threshold is what remains to be gained.
    return at::where(size * t > 1, room(), at::zeros_like(size));
  };
  for (int i = 0; i < 200; ++i) {
    const Tensor middle = (low + high) / 2;
    const Tensor enough = (at_time(middle) * size).sum(1, true) >= gain.abs().unsqueeze(1);
    high = at::where(enough, middle, high);
    low = at::where(enough, low, middle);
  }
  Tensor length = distance(at_time(high), at::zeros_like(x), GetParam());
  if (GetParam() == Norm::kL1) {
    const Tensor whole = at_time(low);
    const Tensor rest = (gain.abs() - (whole * size).sum(1)).clamp_min(0);
    length = whole.sum(1) + rest * low.squeeze(1);
  }
  const Tensor is_reachable = reachable() > gain.abs() + 1e-9;
  EXPECT_GT(is_reachable.sum().item<std::int64_t>(), kRows / 2);
  const Tensor ours = distance(step, at::zeros_like(x), GetParam());
  EXPECT_LE(max_difference(ours.masked_select(is_reachable), length.masked_select(is_reachable)),
            1e-8);
}

INSTANTIATE_TEST_SUITE_P(Norms,
                         StepToPlane,
                         testing::Values(Norm::kLinf, Norm::kL2, Norm::kL1),
                         [](const auto& i) { return name_of(i.param); });

class Fmn : public testing::TestWithParam<Norm> {};

TEST_P(Fmn, ComesCloseToTheSmallestPerturbation) {
  const ManyClasses problem;
  LinearTarget target = problem.target();
  const Values values = with_norm(GetParam(), {{"minimise", true}, {"steps", std::int64_t{1000}}});

  const Tensor points = attack("fmn", values, target, problem.x, problem.y, kFar);

  const Tensor ratio = distance(points, problem.x, GetParam()) / problem.minimal(GetParam());
  EXPECT_GE(ratio.min().item<double>(), 1.0 - 1e-9);
  // At last the radius breathes by 0.001, and steps are 0.01 long.
  EXPECT_LE(ratio.max().item<double>(), 1.02);
}

TEST_P(Fmn, AsksForOneGradientAStepAndOneAnswer) {
  const ManyClasses problem(5, 1);
  LinearTarget target = problem.target();

  attack("fmn", with_norm(GetParam()), target, problem.x, problem.y, 1e-5);

  EXPECT_EQ(target.backwards(), 100);
  EXPECT_EQ(target.forwards(), 1);
}

INSTANTIATE_TEST_SUITE_P(Norms,
                         Fmn,
                         testing::Values(Norm::kLinf, Norm::kL2, Norm::kL1),
                         [](const auto& i) { return name_of(i.param); });

TEST(SoftThreshold, LowersAllEntriesAlike) {
  const Tensor step = at::tensor({0.5, -0.3, 0.1, 0.0}, kDouble).view({1, 4});

  const Tensor result = kit::soft_threshold_to(step, at::tensor({0.4}, kDouble));

  // 0.5 - a + 0.3 - a = 0.4: a = 0.2, above the third entry.
  EXPECT_TRUE(at::allclose(result, at::tensor({0.3, -0.1, 0.0, 0.0}, kDouble).view({1, 4})));
}

// A boundary found outside the ball is put on its surface, and the host judges it there.
TEST(MinimumNorm, StaysInTheBallWhenTheBoundaryIsOutside) {
  const Binary problem(0.3);
  for (const char* id : {"deepfool", "cw_l2", "cw_linf", "fab", "fab_t", "fmn"}) {
    LinearTarget target = problem.target();
    const auto instance = make_plugin<Attack>("attack", id, {});
    const double epsilon = 0.5 * 0.3 / problem.reach(instance->norm());

    const Tensor point = attack(id, {}, target, problem.x, problem.y, epsilon);

    EXPECT_LE(moved(point, problem.x, instance->norm()), epsilon) << id;
    EXPECT_FALSE(problem.is_fooled(point)) << id;
  }
}

}  // namespace
}  // namespace unmask::test::minimum_norm_test
