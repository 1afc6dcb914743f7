// More of a budget begins with all that less of it does: restarts, repeats, queries, steps and pairs
// draw their random numbers by their own number, so that growing budgets can be compared.

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::nested_budgets_test {
namespace {

struct Budget {
  const char* id;
  const char* name;
  std::int64_t less;
  std::int64_t more;
  Values others;
};

// Two images on which nobody falls, so that nothing ends early.
std::vector<Call> calls_of(const Budget& budget, std::int64_t amount) {
  const ManyClasses problem(5, 2);
  LinearTarget target(problem.weight, problem.bias - 100 * at::arange(5).gt(0).to(at::kDouble));
  target.recording();
  Values values = budget.others;
  values[budget.name] = amount;
  const Tensor x = problem.x.view({2, 1, 4, 4});
  const Tensor points = attack(budget.id, values, target, x, problem.y, 1e-3);
  EXPECT_TRUE(target.answer(points).argmax(1).eq(problem.y).all().item<bool>());
  return target.calls();
}

class NestedBudget : public testing::TestWithParam<Budget> {};

TEST_P(NestedBudget, BeginsWithTheSmallerOne) {
  const std::vector<Call> less = calls_of(GetParam(), GetParam().less);
  const std::vector<Call> more = calls_of(GetParam(), GetParam().more);

  ASSERT_LT(less.size(), more.size());
  for (std::size_t i = 0; i < less.size(); ++i) {
    EXPECT_TRUE(at::equal(less[i].x, more[i].x)) << "call " << i;
  }
}

const Values kFewSteps = {{"steps", std::int64_t{4}}};

INSTANTIATE_TEST_SUITE_P(
    Budgets,
    NestedBudget,
    testing::Values(
        Budget{"pgd", "restarts", 1, 3, kFewSteps},
        Budget{"apgd", "restarts", 1, 3, kFewSteps},
        Budget{"multi_targeted", "restarts", 1, 2, kFewSteps},
        Budget{"fab", "restarts", 1, 2, kFewSteps},
        Budget{"fab_t", "restarts", 1, 2, kFewSteps},
        Budget{"boundary_gradient", "restarts", 1, 2, kFewSteps},
        Budget{"random_noise", "repeats", 3, 12, {}},
        Budget{"gaussian_noise", "repeats", 3, 12, {}},
        Budget{"square", "restarts", 1, 2, {{"queries", std::int64_t{20}}}},
        Budget{"square", "queries", 20, 60, {}},
        Budget{"square", "queries", 20, 60, {{"norm", std::string("l2")}}},
        Budget{"spsa", "steps", 2, 5, {{"pairs", std::int64_t{4}}, {"learning_rate", 1e-4}}},
        Budget{"nes", "steps", 2, 5, {{"pairs", std::int64_t{4}}, {"step_size", 1e-4}}}),
    [](const auto& i) {
      return std::string(i.param.id) + "_" + i.param.name + "_" + std::to_string(i.index);
    });

// More pairs: the first step asks for those of fewer, and for others behind them.
class NestedPairs : public testing::TestWithParam<const char*> {};

TEST_P(NestedPairs, BeginWithTheFewerOnes) {
  const Budget budget{GetParam(), "pairs", 3, 8, {{"steps", std::int64_t{2}}}};

  const std::vector<Call> fewer = calls_of(budget, budget.less);
  const std::vector<Call> more = calls_of(budget, budget.more);

  ASSERT_EQ(fewer.size(), 2U * (2 * 3 + 1));
  ASSERT_EQ(more.size(), 2U * (2 * 8 + 1));
  for (std::size_t i = 0; i < 2 * 3; ++i) {
    EXPECT_TRUE(at::equal(fewer[i].x, more[i].x)) << "call " << i;
  }
  // Nor does the second step draw what the first one did not use.
  const Tensor direction = (fewer[7].x - fewer[8].x).sign();
  EXPECT_TRUE(at::equal(direction, (more[17].x - more[18].x).sign()));
}

INSTANTIATE_TEST_SUITE_P(Attacks, NestedPairs, testing::Values("spsa", "nes"));

}  // namespace
}  // namespace unmask::test::nested_budgets_test
