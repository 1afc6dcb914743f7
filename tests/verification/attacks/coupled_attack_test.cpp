// Attacks on a target whose samples influence each other: nobody leaves the batch.

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::coupled_attack_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);

// Two classes, u = (1, 1, 1, 1): sample 0 is close to the boundary, sample 1 far away.
struct Pair {
  LinearTarget target() const {
    const Tensor weight = at::stack({at::ones({4}, kDouble), at::zeros({4}, kDouble)});
    return {weight, at::tensor({-2.0, 0.0}, kDouble)};
  }
  Tensor x = at::stack({at::full({1, 2, 2}, 0.51, kDouble), at::full({1, 2, 2}, 0.9, kDouble)});
  Tensor y = at::zeros({2}, at::kLong);
};

TEST(CoupledPgd, MovesFooledSamplesOn) {
  const Pair pair;
  LinearTarget target = pair.target();
  target.coupled(0.01).recording();
  const Values values = {{"random_start", false}, {"step_size", 0.01}, {"steps", std::int64_t{8}}};

  attack("pgd", values, target, pair.x, pair.y, 0.1);

  // Sample 0 falls after a few steps of 0.01 and is at 0.51 - 0.08 in the last call all the same.
  EXPECT_EQ(target.calls().size(), 9U);
  EXPECT_NEAR(target.calls().back().x[0].max().item<double>(), 0.43, 1e-12);
}

TEST(CoupledSpsa, HoldsFooledSamplesAndKeepsAskingForAll) {
  const Pair pair;
  LinearTarget target = pair.target();
  target.coupled(0.01).recording();
  const Values values = {{"steps", std::int64_t{6}}, {"pairs", std::int64_t{8}}};

  const Tensor points = attack("spsa", values, target, pair.x, pair.y, 0.1);

  const Call& last = target.calls().back();
  EXPECT_EQ(target.calls().size(), 6U * (2 * 8 + 1));
  EXPECT_EQ(last.x.size(0), 2);
  EXPECT_TRUE(at::equal(last.x[0], points[0]));
}

TEST(CoupledNoise, AsksForAllToTheEnd) {
  const Pair pair;
  LinearTarget target = pair.target();
  target.coupled(0.01).recording();

  attack("random_noise", {{"repeats", std::int64_t{12}}}, target, pair.x, pair.y, 0.1);

  EXPECT_EQ(target.calls().size(), 12U);
  EXPECT_EQ(target.calls().back().x.size(0), 2);
}

// The smallest perturbation stands and falls with its batch-mates; a point on the surface of the
// ball has some margin left.
TEST(CoupledMinimumNorm, GoesOnToTheSurfaceOfTheBall) {
  const Pair pair;
  for (const char* id : {"deepfool", "fab", "fmn", "cw_l2"}) {
    LinearTarget target = pair.target();
    target.coupled(0.01);
    const auto instance = make_plugin<Attack>("attack", id, {});

    const Tensor points = attack(id, {}, target, pair.x, pair.y, 0.2);

    const Tensor moved = distance(points, pair.x, instance->norm());
    EXPECT_NEAR(moved[0].item<double>(), 0.2, 1e-6) << id;
    EXPECT_EQ(target.answer(points)[0].argmax().item<std::int64_t>(), 1) << id;
  }
}

TEST(CoupledMinimumNorm, StaysSmallWhereThatIsAskedFor) {
  const Pair pair;
  for (const char* id : {"fab", "fmn", "cw_l2"}) {
    LinearTarget target = pair.target();
    target.coupled(0.01);
    const auto instance = make_plugin<Attack>("attack", id, {});

    const Tensor points = attack(id, {{"minimise", true}}, target, pair.x, pair.y, 0.2);

    // The boundary of sample 0 is at 0.01 in every pixel.
    EXPECT_LE(distance(points, pair.x, instance->norm())[0].item<double>(), 0.03) << id;
  }
}

}  // namespace
}  // namespace unmask::test::coupled_attack_test
