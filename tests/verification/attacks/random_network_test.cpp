// Attacks on a random network with a known answer: the best of many draws is the luckiest, and must
// not be taken for the best point.

#include <cmath>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::random_network_test {
namespace {

constexpr std::int64_t kRows = 64;
constexpr double kEpsilon = 0.05;
constexpr double kDeviation = 0.2;  // of the margin of one answer

// Two classes, z = W (x + noise) + b. At the image class 0 wins by 0.2 on average, so one answer in
// six is wrong; at the corner of the ball class 1 wins by 0.05 ||u||_1 - 0.2 = 0.2125, and 86 % of the
// answers are wrong.
struct Noisy {
  Binary plain{0.2};
  Tensor x = plain.x.expand({kRows, 1, 1, 16}).contiguous();
  Tensor y = at::zeros({kRows}, at::kLong);
  double best = kEpsilon * plain.l1 - 0.2;

  // Mean margin of the returned points over the rows: what answers without noise give.
  double margin(const std::string& id, const Values& values) const {
    LinearTarget target = plain.target();
    target.random(kDeviation / plain.l2);
    const Tensor points = attack(id, values, target, x, y, kEpsilon);
    return per_sample_loss(target.answer(points), y, Loss::kMargin).mean().item<double>();
  }
};

struct Case {
  const char* id;
  Values values;
};

class OnARandomNetwork : public testing::TestWithParam<Case> {};

// A point stays in the book until the mean of ten answers for another one exceeds its own; such means
// deviate by 0.2 / sqrt(10) = 0.063, and among the last points of a run the book holds one that was
// lucky by about twice that, and is no more than that behind the corner.
TEST_P(OnARandomNetwork, ReturnsPointsThatFoolOnAverage) {
  const Noisy problem;

  const double margin = problem.margin(GetParam().id, GetParam().values);

  EXPECT_GE(margin, problem.best - 2 * kDeviation / std::sqrt(10.0));
  EXPECT_LE(margin, problem.best + 1e-12);
}

INSTANTIATE_TEST_SUITE_P(
    Attacks,
    OnARandomNetwork,
    testing::Values(Case{"pgd", {}},
                    Case{"pgd", {{"loss", std::string("margin")}, {"restarts", std::int64_t{4}}}},
                    Case{"pgd", {{"eot", std::int64_t{4}}}},
                    Case{"pgd", {{"keep", std::string("last")}}},
                    Case{"multi_targeted", {}},
                    Case{"apgd", {}},
                    Case{"apgd", {{"loss", std::string("margin")}, {"eot", std::int64_t{4}}}},
                    Case{"deepfool", {{"norm", std::string("linf")}}},
                    Case{"fab", {{"norm", std::string("linf")}, {"steps", std::int64_t{30}}}},
                    Case{"fmn", {{"norm", std::string("linf")}, {"steps", std::int64_t{30}}}}),
    [](const auto& i) { return std::string(i.param.id) + "_" + std::to_string(i.index); });

// A larger ball holds the smaller one; a lucky draw near the image would undo that.
TEST(PgdOnARandomNetwork, FindsMoreInALargerBall) {
  const Noisy problem;
  double before = -1;
  for (const double epsilon : {0.02, 0.05, 0.1}) {
    LinearTarget target = problem.plain.target();
    target.random(kDeviation / problem.plain.l2);

    const Tensor points = attack("pgd", {}, target, problem.x, problem.y, epsilon);

    const double margin =
        per_sample_loss(target.answer(points), problem.y, Loss::kMargin).mean().item<double>();
    EXPECT_GT(margin, before);
    before = margin;
  }
}

// The book of a network without noise: no answer more than before.
TEST(PgdOnARandomNetwork, CostsMoreAnswersThereAlone) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();

  attack("pgd", {{"steps", std::int64_t{7}}}, target, problem.x, problem.y, 0.01);

  EXPECT_EQ(target.backwards(), 7);
  EXPECT_EQ(target.forwards(), 1);
}

}  // namespace
}  // namespace unmask::test::random_network_test
