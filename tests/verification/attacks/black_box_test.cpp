// Attacks that see answers only: schedules, numbers of queries, estimates and what they find on
// linear classifiers.

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "plugins/attacks/nes/nes_estimator.hpp"
#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "unmask/kit/attack/square.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::black_box_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);

// A classifier of two classes on images of `side` x `side` pixels and three channels; class 0 wins
// by `share` of what linf steps of 0.05 can take.
struct Images {
  Images(std::int64_t side, double share, std::int64_t rows = 1) {
    std::vector<std::int64_t> ids(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);
    const std::int64_t pixels = 3 * side * side;
    // Weights that are alike in neighbourhoods of 4 x 4, as in images.
    const Tensor coarse =
        SampleRandom(3, {0}).normal(at::empty({1, 3, side / 4, side / 4}, kDouble));
    u = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3).flatten();
    x = SampleRandom(4, ids).uniform(at::empty({rows, 3, side, side}, kDouble), 0.3, 0.7);
    const Tensor products = at::mv(x.flatten(1), u);
    bias = at::stack({share * 0.05 * u.abs().sum() - products.min(), at::zeros({}, kDouble)});
    weight = at::stack({u, at::zeros({pixels}, kDouble)});
    y = at::zeros({rows}, at::kLong);
  }
  LinearTarget target() const { return {weight, bias}; }
  Tensor u, x, y, weight, bias;
};

TEST(SquareSchedule, HasThePublishedWindows) {
  const std::vector<std::pair<std::int64_t, std::int64_t>> expected = {{0, 29},
                                                                       {10, 29},
                                                                       {11, 20},
                                                                       {50, 20},
                                                                       {51, 14},
                                                                       {201, 10},
                                                                       {501, 7},
                                                                       {1001, 5},
                                                                       {2001, 4},
                                                                       {4001, 3},
                                                                       {6001, 2},
                                                                       {8001, 1}};
  for (const auto& [query, side] : expected) {
    EXPECT_EQ(kit::square_side(kit::square_share(0.8, query), 32, 32), side) << query;
  }
}

TEST(SquareSchedule, NeverLeavesTheImage) {
  EXPECT_EQ(kit::square_side(1.0, 4, 16), 4);
  EXPECT_EQ(kit::square_side(1e-6, 4, 16), 1);
}

// As published: squares of 1, 3, 5, ... pixels around the middle of a rectangle, written down as the
// ranges of rows and columns that each covers.
Tensor published_bump(std::int64_t height, std::int64_t width, double power) {
  Tensor sum = at::zeros({height, width}, kDouble);
  for (std::int64_t ring = 0; ring <= std::max(height, width) / 2; ++ring) {
    const std::int64_t top = std::max<std::int64_t>(height / 2 - ring, 0);
    const std::int64_t left = std::max<std::int64_t>(width / 2 - ring, 0);
    const std::int64_t bottom = std::min(height / 2 + ring + 1, height);
    const std::int64_t right = std::min(width / 2 + ring + 1, width);
    sum.slice(0, top, bottom).slice(1, left, right) +=
        std::pow(static_cast<double>(ring + 1), -power);
  }
  return sum;
}

class SquarePattern : public testing::TestWithParam<std::int64_t> {};

TEST_P(SquarePattern, IsThePublishedPairOfPyramids) {
  const std::int64_t side = GetParam();
  for (const auto& [norm, power, order] :
       {std::tuple{Norm::kL2, 2.0, 2}, std::tuple{Norm::kL1, 4.0, 1}}) {
    Tensor upper = published_bump(side / 2, side, power);
    Tensor lower = published_bump(side - side / 2, side, power);
    const Tensor expected = at::cat({upper / upper.norm(order), -lower / lower.norm(order)}, 0);

    const Tensor pattern = kit::square_pattern(side, norm, kDouble);

    EXPECT_NEAR(pattern.norm(order).item<double>(), 1.0, 1e-14);
    const double cosine =
        ((pattern * expected).sum() / (pattern.norm() * expected.norm())).item<double>();
    EXPECT_NEAR(cosine, 1.0, 1e-14);
  }
}

INSTANTIATE_TEST_SUITE_P(Sides, SquarePattern, testing::Values(2, 3, 5, 6, 9, 29));

TEST(SquarePattern, HasItsPeaksInTheMiddlesOfItsHalves) {
  const Tensor pattern = kit::square_pattern(9, Norm::kL2, kDouble);

  // Rows 0 to 3 and 4 to 8: their middles are 2 and 6.
  EXPECT_EQ(pattern.argmax().item<std::int64_t>(), 2 * 9 + 4);
  EXPECT_EQ(pattern.argmin().item<std::int64_t>(), 6 * 9 + 4);
}

// Two rows, and the margin of each is the brightness of the other, less one.
class Swapped final : public Target {
 public:
  std::int64_t num_classes() const override { return 2; }
  bool is_batch_independent() const override { return false; }
  static Tensor answer(const Tensor& x) {
    const Tensor others = x.flatten(1).mean(1).flip(0) - 1;
    return at::stack({at::zeros_like(others), others}, 1);
  }

 private:
  Tensor do_logits(const Tensor& x, const Tensor&) override { return answer(x); }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    return differentiate(x, answer, loss);
  }
};

// A proposal counts among the points that the others keep: here it gains only where the other row
// keeps a brighter one, so both become brighter or nothing happens. Judged among the other's
// proposals, a row would take a darker point whenever the other happened to propose a brighter one.
TEST(SquareOnACoupledNetwork, KeepsWhatGainsAmongThePointsThatAreKept) {
  const Tensor x = at::full({2, 1, 8, 8}, 0.5, kDouble);
  const Tensor y = at::zeros({2}, at::kLong);
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) {
    Swapped target;

    const Tensor start = attack("square", {{"queries", std::int64_t{1}}}, target, x, y, 0.05, seed);
    const Tensor end = attack("square", {{"queries", std::int64_t{200}}}, target, x, y, 0.05, seed);

    const Tensor gain = (end - start).flatten(1).mean(1);
    EXPECT_GE(gain.min().item<double>(), 0.0);
    EXPECT_GT(gain.max().item<double>(), 0.0);
  }
}

TEST(Square, AsksNoMoreThanItMay) {
  const Images problem(16, 10);
  LinearTarget target = problem.target();

  attack("square", {{"queries", std::int64_t{70}}}, target, problem.x, problem.y, 0.05);

  EXPECT_EQ(target.forwards(), 70);
  EXPECT_EQ(target.backwards(), 0);
}

TEST(Square, ChangesEveryPixelByEpsilon) {
  const Images problem(16, 10);
  LinearTarget target = problem.target();
  target.recording();

  attack("square", {{"queries", std::int64_t{70}}}, target, problem.x, problem.y, 0.05);

  ASSERT_FALSE(target.calls().empty());
  // The projection leaves one part in 10^7.
  for (const Call& call : target.calls()) {
    EXPECT_NEAR((call.x - problem.x).abs().min().item<double>(), 0.05, 0.05 * 1.1e-7);
  }
}

TEST(Square, FillsTheBallInL2) {
  const Images problem(16, 100);
  LinearTarget target = problem.target();
  target.recording();
  const Values values = {{"norm", std::string("l2")}, {"queries", std::int64_t{70}}};

  attack("square", values, target, problem.x, problem.y, 0.5);

  ASSERT_FALSE(target.calls().empty());
  for (const Call& call : target.calls()) {
    const double moved = distance(call.x, problem.x, Norm::kL2).item<double>();
    EXPECT_LE(moved, 0.5);
    EXPECT_GE(moved, 0.49);
  }
}

// In l1 the ball is full too, and the projection leaves few pixels changed.
TEST(Square, FillsTheBallInL1WithFewPixels) {
  const Images problem(16, 100);
  LinearTarget target = problem.target();
  target.recording();
  const Values values = {{"norm", std::string("l1")}, {"queries", std::int64_t{70}}};

  attack("square", values, target, problem.x, problem.y, 4.0);

  ASSERT_FALSE(target.calls().empty());
  for (const Call& call : target.calls()) {
    const Tensor d = call.x - problem.x;
    EXPECT_LE(d.abs().sum().item<double>(), 4.0);
    EXPECT_GE(d.abs().sum().item<double>(), 3.9);
    EXPECT_LT(d.ne(0).sum().item<std::int64_t>(), 768 / 2);
  }
}

// A tie is no success: the search goes on to its last query.
TEST(Square, GoesOnWhereTwoLogitsTie) {
  const Tensor weight = at::zeros({2, 3 * 8 * 8}, kDouble);
  const Images images(8, 1);
  LinearTarget target(weight, at::zeros({2}, kDouble));

  attack("square", {{"queries", std::int64_t{40}}}, target, images.x, images.y, 0.05);

  EXPECT_EQ(target.forwards(), 40);
}

TEST(Square, ChangesOneWindowAtATime) {
  const Images problem(16, 10);
  LinearTarget target = problem.target();
  target.recording();

  const Tensor best =
      attack("square", {{"queries", std::int64_t{300}}}, target, problem.x, problem.y, 0.05);

  // From query 201 on the window has 0.1 * 256 = 26 pixels, a side of 5.
  for (std::size_t i = 290; i < 300; ++i) {
    const Tensor changed = target.calls()[i].x.ne(target.calls()[i - 1].x).any(1)[0];
    // Two queries differ in at most two windows: the one refused and the one tried.
    EXPECT_LE(changed.sum().item<std::int64_t>(), 2 * 25);
  }
  EXPECT_GT(distance(best, problem.x, Norm::kLinf).item<double>(), 0.049);
}

// Windows that never reach the last row and column leave them as the stripes made them.
TEST(Square, ReachesEveryPixel) {
  const Images problem(8, 100);
  LinearTarget target = problem.target();
  target.recording();

  attack("square", {{"queries", std::int64_t{200}}}, target, problem.x, problem.y, 0.05);

  Tensor changed = at::zeros({8, 8}, at::kBool);
  for (std::size_t i = 1; i < target.calls().size(); ++i) {
    changed = changed.logical_or(target.calls()[i].x.ne(target.calls()[0].x).any(1)[0]);
  }
  EXPECT_TRUE(changed.all().item<bool>());
}

TEST(Square, KeepsOnlyWhatRaisesTheMargin) {
  const Images problem(16, 10);
  double before = -1e9;
  for (const std::int64_t queries : {1, 10, 50, 100, 200}) {
    LinearTarget target = problem.target();
    const Tensor point =
        attack("square", {{"queries", queries}}, target, problem.x, problem.y, 0.05);
    const double margin =
        per_sample_loss(target.answer(point), problem.y, Loss::kMargin).item<double>();
    EXPECT_GE(margin, before);
    before = margin;
  }
}

TEST(Square, DrawsWindowsForEverySample) {
  const Images problem(16, 10, 2);
  LinearTarget target = problem.target();
  target.recording();

  attack("square", {{"queries", std::int64_t{30}}}, target, problem.x, problem.y, 0.05);

  bool differ = false;
  for (const Call& call : target.calls()) {
    const Tensor signs = (call.x - problem.x).sign();
    differ = differ || !at::equal(signs[0], signs[1]);
  }
  EXPECT_TRUE(differ);
}

struct Finder {
  const char* id;
  const char* norm;
  double share;  // of what the ball allows that the sample needs
};

class BlackBox : public testing::TestWithParam<Finder> {};

TEST_P(BlackBox, FoolsWithoutAGradient) {
  const auto [id, norm_name, share] = GetParam();
  const Norm norm = make_plugin<Attack>("attack", id, {{"norm", std::string(norm_name)}})->norm();
  const Images plain(16, 0.0);
  const double epsilon = norm == Norm::kL2 ? 2.0 : norm == Norm::kL1 ? 6.0 : 0.05;
  const Tensor size = plain.u.abs();
  const double reach = norm == Norm::kL2   ? plain.u.norm().item<double>()
                       : norm == Norm::kL1 ? size.max().item<double>()
                                           : size.sum().item<double>();
  const Images problem(16, share * epsilon * reach / (0.05 * plain.u.abs().sum().item<double>()));
  LinearTarget target = problem.target();
  target.without_gradient();

  const Tensor point =
      attack(id, {{"norm", std::string(norm_name)}}, target, problem.x, problem.y, epsilon);

  EXPECT_EQ(target.answer(point).argmax(1).item<std::int64_t>(), 1);
  EXPECT_EQ(target.backwards(), 0);
}

INSTANTIATE_TEST_SUITE_P(Settings,
                         BlackBox,
                         testing::Values(Finder{"square", "linf", 0.5},
                                         Finder{"square", "l2", 0.5},
                                         Finder{"square", "l1", 0.5},
                                         Finder{"nes", "linf", 0.5},
                                         Finder{"nes", "l2", 0.5},
                                         Finder{"boundary", "l2", 0.5},
                                         Finder{"hop_skip_jump", "l2", 0.5},
                                         Finder{"hop_skip_jump", "linf", 0.5},
                                         Finder{"rays", "linf", 0.9}),
                         [](const auto& i) {
                           return std::string(i.param.id) + "_" + i.param.norm;
                         });

std::vector<std::int64_t> ids(std::int64_t count) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(i);
  return result;
}

template <class LossFunction>
Tensor estimates(LossFunction&& loss, const Tensor& x, double sigma, std::int64_t pairs) {
  SampleRandom random(3, ids(x.size(0)));
  return kit::nes_gradient(
      loss, [&](std::int64_t) { return random.normal(x); }, x, sigma, pairs, 0.0, 1.0);
}

TEST(NesEstimator, IsUnbiasedOnALinearFunctionInsideTheBoxAndAtItsBorder) {
  const std::int64_t rows = 4000;
  const std::int64_t pairs = 4;
  const Tensor w = SampleRandom(77, {0}).normal(at::empty({1, 16}, kDouble)).squeeze(0);
  Tensor x = at::full({rows, 16}, 0.5, kDouble);
  x.select(1, 0).fill_(1.0);
  x.select(1, 1).fill_(0.005);

  const Tensor mean =
      estimates([&](const Tensor& p) { return at::mv(p, w); }, x, 0.01, pairs).mean(0);

  // Coordinate j of one pair inside the box: (w.u) u_j, variance ||w||^2 + w_j^2. At the border the
  // divisor is half as large while the other coordinates' part is not: up to 4 times that.
  Tensor variance = w.square().sum() + w.square();
  variance = variance * at::tensor({4.0, 2.0}, kDouble)
                            .index_select(0, at::arange(16, at::kLong).ge(2).to(at::kLong))
                            .div(at::arange(16, at::kLong).ge(2).to(at::kDouble) + 1);
  const Tensor error = (variance / static_cast<double>(pairs * rows)).sqrt();
  EXPECT_LE(((mean - w).abs() / error).max().item<double>(), 5.0);
}

TEST(NesEstimator, HasTheKnownCosineInManyDimensions) {
  const std::int64_t size = 3072;
  const std::int64_t rows = 20;
  const std::int64_t pairs = 64;
  const Tensor w = SampleRandom(77, {0}).normal(at::empty({1, size}, kDouble)).squeeze(0);
  const Tensor x = at::full({rows, size}, 0.5, kDouble);

  const Tensor g = estimates([&](const Tensor& p) { return at::mv(p, w); }, x, 0.001, pairs);
  const double cosine = (at::mv(g, w) / (g.norm(2, 1) * w.norm())).mean().item<double>();

  // As for signs, sqrt(m / (m + D)) up to terms of 1 / D; w.g is a mean of m squares of normal
  // numbers.
  const auto m = static_cast<double>(pairs);
  EXPECT_NEAR(cosine / std::sqrt(m / (m + static_cast<double>(size))),
              1.0,
              5 * std::sqrt(2.0 / (m * static_cast<double>(rows))));
}

TEST(NesEstimator, DependsOnTheCurrentIterate) {
  const Tensor x = at::linspace(0.1, 0.4, 8, kDouble).unsqueeze(0);
  const auto square = [](const Tensor& p) { return p.square().sum(1); };

  const Tensor here = estimates(square, x, 0.001, 3);
  const Tensor twice = estimates(square, 2 * x, 0.001, 3);

  // On ||x||^2 the central difference is linear in x; rounding of 1e-16 is divided by 0.002.
  EXPECT_TRUE(at::allclose(twice, 2 * here, 1e-9, 1e-11));
}

TEST(Nes, AsksTwoAnswersAPairAndOneAStep) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();
  const Values values = {{"steps", std::int64_t{3}}, {"pairs", std::int64_t{5}}};

  attack("nes", values, target, problem.x, problem.y, 0.05);

  EXPECT_EQ(target.forwards(), 3 * (2 * 5 + 1));
}

// The walk and the jumps come close to the smallest perturbation, from predictions alone.
TEST(Boundary, ComesCloseToTheSmallestPerturbation) {
  const Binary problem(0.3);
  LinearTarget target = problem.target();
  const Values values = {{"minimise", true}, {"steps", std::int64_t{4000}}};

  const Tensor point = attack("boundary", values, target, problem.x, problem.y, 100);

  const double ratio = distance(point, problem.x, Norm::kL2).item<double>() * problem.l2 / 0.3;
  EXPECT_GE(ratio, 1.0);
  EXPECT_LE(ratio, 1.2);
}

TEST(Boundary, StopsWhereNoWrongImageIsFound) {
  const Binary problem(1e6);
  LinearTarget target = problem.target();

  const Tensor point =
      attack("boundary", {{"draws", std::int64_t{7}}}, target, problem.x, problem.y, 0.5);

  EXPECT_TRUE(at::equal(point, problem.x));
  EXPECT_EQ(target.forwards(), 7);
}

class HopSkipJump : public testing::TestWithParam<Norm> {};

TEST_P(HopSkipJump, ComesCloseToTheSmallestPerturbation) {
  const Binary problem(0.3);
  LinearTarget target = problem.target();
  const Values values = {
      {"norm", std::string(name_of(GetParam()))}, {"minimise", true}, {"steps", std::int64_t{30}}};

  const Tensor point = attack("hop_skip_jump", values, target, problem.x, problem.y, 100);

  const double ratio =
      distance(point, problem.x, GetParam()).item<double>() * problem.reach(GetParam()) / 0.3;
  EXPECT_GE(ratio, 1.0);
  EXPECT_LE(ratio, 1.2);
}

INSTANTIATE_TEST_SUITE_P(Norms,
                         HopSkipJump,
                         testing::Values(Norm::kL2, Norm::kLinf),
                         [](const auto& i) { return name_of(i.param); });

// A pixel with the wrong sign is turned where that brings the boundary nearer by more than the tolerance, a
// thousandth of epsilon: 16 pixels keep at most 1.6 % of it from us.
TEST(Rays, FindTheNearestCornerOfACube) {
  const Binary problem(0.3);
  ASSERT_LE(problem.x[0].numel(), 16);
  const double nearest = 0.3 / problem.reach(Norm::kLinf);
  LinearTarget target = problem.target();

  const Tensor point = attack("rays", {}, target, problem.x, problem.y, 1.02 * nearest);

  EXPECT_EQ(target.answer(point).argmax(1).item<std::int64_t>(), 1);
  EXPECT_EQ(target.backwards(), 0);
}

// Rounded answers are equal more often than not; the host counts the first of the largest as predicted.
TEST(Rays, TakeEqualAnswersAsTheyAreJudged) {
  const Binary problem(0.3);
  LinearTarget target(at::zeros_like(problem.weight), at::zeros_like(problem.bias));

  const Tensor of_first = attack(
      "rays", {{"queries", std::int64_t{30}}}, target, problem.x, at::zeros({1}, at::kLong), 0.1);
  const Tensor of_second = attack(
      "rays", {{"queries", std::int64_t{30}}}, target, problem.x, at::ones({1}, at::kLong), 0.1);

  EXPECT_TRUE(at::equal(of_first, problem.x)) << "always predicted right: there is no ray";
  EXPECT_LE(distance(of_second, problem.x, Norm::kLinf).item<double>(), 0.1) << "never";
  EXPECT_FALSE(at::equal(of_second, problem.x));
}

// w.delta of uniform noise has a deviation of epsilon ||u||_2 / sqrt(3); PGD takes epsilon ||u||_1.
TEST(Noise, FindsNothingWherePgdFindsEverything) {
  const Images problem(16, 0.5, 8);
  for (const char* id : {"random_noise", "gaussian_noise"}) {
    LinearTarget target = problem.target();
    const Values values = {{"norm", std::string("linf")}};

    const Tensor points = attack(id, values, target, problem.x, problem.y, 0.05);

    EXPECT_EQ(target.answer(points).argmax(1).sum().item<std::int64_t>(), 0) << id;
  }
  LinearTarget target = problem.target();
  const Tensor nearest =
      problem.x.narrow(0, at::mv(problem.x.flatten(1), problem.u).argmin().item<std::int64_t>(), 1);
  const Tensor point = attack("pgd", {}, target, nearest, problem.y.narrow(0, 0, 1), 0.05);
  EXPECT_EQ(target.answer(point).argmax(1).item<std::int64_t>(), 1);
}

TEST(GaussianNoise, EndsNearTheSurfaceOfTheBall) {
  const Images problem(16, 100);
  for (const Norm norm : {Norm::kL2, Norm::kL1}) {
    LinearTarget target = problem.target();
    const Values values = {{"norm", std::string(name_of(norm))}, {"repeats", std::int64_t{1}}};

    const Tensor point = attack("gaussian_noise", values, target, problem.x, problem.y, 0.5);

    // 768 pixels: the norm of one draw deviates by a few percent.
    const double moved = distance(point, problem.x, norm).item<double>();
    EXPECT_GE(moved, 0.9 * 0.5);
    EXPECT_LE(moved, 0.5);
  }
}

}  // namespace
}  // namespace unmask::test::black_box_test
