// AutoAttack: budgets, the order of its members, and what it notes.

#include <map>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "unmask/errors.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::autoattack_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);

// Ten classes, so that nine targets exist.
ManyClasses ten_classes(std::int64_t rows = 1) {
  return ManyClasses(10, rows);
}

std::map<std::string, Tensor> notes(
    const Values& values, Target& target, const Tensor& x, const Tensor& y, double epsilon) {
  const auto instance = make_plugin<Attack>("attack", "autoattack", values);
  AttackContext context = context_for(x);
  instance->perturb(target, x, y, {instance->norm(), epsilon, 0, 1}, context);
  std::map<std::string, Tensor> result;
  for (const AttackNote& note : context.notes) result[note.name] = note.values;
  return result;
}

TEST(AutoAttack, SpendsThePublishedBudgetOnASampleThatNeverFalls) {
  const ManyClasses problem = ten_classes();
  LinearTarget target = problem.target();

  attack("autoattack", {}, target, problem.x, problem.y, 1e-4);

  // 101 (APGD) + 9 * 101 (targeted) + 9 * 100 (FAB) gradients; 900 answers for FAB, 5000 for
  // Square, one at the start.
  EXPECT_EQ(target.backwards(), 1910);
  EXPECT_EQ(target.forwards(), 900 + 5000 + 1);
}

TEST(AutoAttack, SpendsThePublishedBudgetInL1) {
  const ManyClasses problem = ten_classes();
  LinearTarget target = problem.target();

  attack("autoattack", {{"norm", std::string("l1")}}, target, problem.x, problem.y, 1e-4);

  // A run through three balls has 100 steps and three starts: five of cross-entropy, five targets;
  // 9 * 100 for FAB.
  EXPECT_EQ(target.backwards(), (5 + 5) * 103 + 900);
  EXPECT_EQ(target.forwards(), 900 + 5000 + 1);
}

TEST(AutoAttack, EndsWithTheFirstMemberThatFoolsEverySample) {
  const ManyClasses problem = ten_classes(3);
  LinearTarget target = problem.target();

  const Tensor points = attack("autoattack", {}, target, problem.x, problem.y, 0.5);

  EXPECT_TRUE(target.answer(points).argmax(1).ne(0).all().item<bool>());
  EXPECT_LE(target.backwards(), 3 * 102);
  EXPECT_EQ(target.forwards(), 3);
}

TEST(AutoAttack, NotesTheMemberThatFooledASampleFirst) {
  const ManyClasses problem = ten_classes(2);
  LinearTarget target = problem.target();

  const auto noted = notes({}, target, problem.x, problem.y, 0.5);

  EXPECT_EQ(noted.at("fooled_first_by.apgd_ce").sum().item<double>(), 2.0);
  for (const char* other : {"apgd_t", "fab_t", "square"}) {
    EXPECT_EQ(noted.at(std::string("fooled_first_by.") + other).sum().item<double>(), 0.0);
  }
}

// The black box finds what hidden gradients hide, and says so.
TEST(AutoAttack, LeavesToSquareWhatHasNoGradient) {
  const ManyClasses problem = ten_classes(2);
  LinearTarget target = problem.target();
  target.without_gradient();

  const auto noted = notes({{"queries", std::int64_t{1000}}, {"steps", std::int64_t{20}}},
                           target,
                           problem.x,
                           problem.y,
                           0.4);

  EXPECT_GT(noted.at("fooled_first_by.square").sum().item<double>() +
                noted.at("fooled_first_by.apgd_ce").sum().item<double>(),
            0.0);
}

TEST(AutoAttack, AveragesTwentyGradientsForRandomNetworks) {
  const ManyClasses problem = ten_classes();
  LinearTarget target = problem.target();

  attack("autoattack", {{"version", std::string("rand")}}, target, problem.x, problem.y, 1e-4);

  EXPECT_EQ(target.backwards(), 2 * 101 * 20);
}

TEST(AutoAttack, RestartsFiveTimesInTheLargeVersion) {
  const ManyClasses problem = ten_classes();
  LinearTarget target = problem.target();
  const Values values = {
      {"version", std::string("plus")}, {"steps", std::int64_t{10}}, {"queries", std::int64_t{50}}};

  attack("autoattack", values, target, problem.x, problem.y, 1e-4);

  // Two APGDs and FAB with nine classes at once, five times each; then nine targets for both.
  EXPECT_EQ(target.backwards(), 2 * 5 * 11 + 5 * 10 * 9 + 9 * 11 + 9 * 10);
}

TEST(AutoAttack, AsksForMarginsWhereThereAreTooFewClasses) {
  const ManyClasses problem(3, 1);
  LinearTarget target = problem.target();

  EXPECT_THROW(attack("autoattack", {}, target, problem.x, problem.y, 1e-4), ParamError);
  EXPECT_NO_THROW(attack("autoattack",
                         {{"loss", std::string("margin")}, {"queries", std::int64_t{10}}},
                         target,
                         problem.x,
                         problem.y,
                         1e-4));
}

}  // namespace
}  // namespace unmask::test::autoattack_test
