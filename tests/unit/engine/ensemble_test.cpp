#include "engine/ensemble.hpp"

#include <cmath>
#include <functional>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "unmask/errors.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::engine::ensemble_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Hands the batch to a function, in a norm of its choice.
class Scripted final : public Attack {
 public:
  using Function = std::function<Tensor(Target&, const Tensor&, const Tensor&, AttackContext&)>;
  explicit Scripted(Function function, Norm norm = Norm::kLinf)
      : function_(std::move(function)), norm_(norm) {}
  Norm norm() const override { return norm_; }
  Tensor perturb(Target& target,
                 const Tensor& x,
                 const Tensor& y,
                 const Threat&,
                 AttackContext& context) override {
    return function_(target, x, y, context);
  }

 private:
  Function function_;
  Norm norm_;
};

Ensemble::Member member(const std::string& name,
                        Scripted::Function function,
                        Norm norm = Norm::kLinf) {
  return {name, std::make_unique<Scripted>(std::move(function), norm)};
}

template <class... Members>
std::unique_ptr<Ensemble> make_ensemble(Members... members) {
  std::vector<Ensemble::Member> list;
  (list.push_back(std::move(members)), ...);
  return std::make_unique<Ensemble>(std::move(list));
}

// Two classes by the sign of x0 - x1. The samples are of class 0, with margins 0.1, 0.3, 0.5:
// moving the first pixel down by more than the margin fools.
class EnsembleTest : public ::testing::Test {
 protected:
  Tensor perturb(Attack& attack, double epsilon = 1.0) {
    context_ = test::context_for(x_);
    return attack.perturb(target_, x_, y_, {attack.norm(), epsilon, 0, 1}, context_);
  }

  // The first pixel lowered; asks the target nothing.
  static Scripted::Function lower(double by) {
    return [by](Target&, const Tensor& x, const Tensor&, AttackContext&) {
      Tensor out = x.clone();
      out.select(1, 0).sub_(by);
      return out;
    };
  }

  std::vector<double> note(const std::string& name) const {
    for (const AttackNote& n : context_.notes) {
      if (n.name != name) continue;
      const Tensor values = n.values.to(at::kDouble).contiguous();
      return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
    }
    ADD_FAILURE() << "no note " << name;
    return {};
  }

  std::vector<bool> fooled(const Tensor& points) const {
    const Tensor wrong = target_.answer(points).argmax(1).ne(y_);
    std::vector<bool> out;
    for (std::int64_t i = 0; i < wrong.size(0); ++i) out.push_back(wrong[i].item<bool>());
    return out;
  }

  Tensor x_ = torch::tensor({{0.6, 0.5}, {0.7, 0.4}, {0.8, 0.3}}, torch::kDouble);
  Tensor y_ = torch::zeros({3}, torch::kLong);
  test::LinearTarget target_{torch::eye(2, torch::kDouble), torch::zeros({2}, torch::kDouble)};
  AttackContext context_ = test::context_for(x_);
};

TEST_F(EnsembleTest, LaterMembersSeeWhatEarlierOnesLeft) {
  std::vector<std::int64_t> seen;
  const auto counting = [&](double by) {
    return [&seen, by](Target& t, const Tensor& x, const Tensor& y, AttackContext& c) {
      seen.push_back(x.size(0));
      return lower(by)(t, x, y, c);
    };
  };
  const auto attack = make_ensemble(
      member("a", counting(0.2)), member("b", counting(0.4)), member("c", counting(0.6)));

  EXPECT_THAT(fooled(perturb(*attack)), ElementsAre(true, true, true));
  EXPECT_THAT(seen, ElementsAre(3, 2, 1));
}

TEST_F(EnsembleTest, AMemberIsNotAskedWhenNothingIsLeft) {
  int calls = 0;
  const auto attack =
      make_ensemble(member("a", lower(0.6)),
                    member("b", [&](Target&, const Tensor& x, const Tensor&, AttackContext&) {
                      ++calls;
                      return x;
                    }));

  perturb(*attack);

  EXPECT_EQ(calls, 0);
  EXPECT_THAT(note("fooled_first_by.b"), ElementsAre(0, 0, 0));
}

TEST_F(EnsembleTest, NotesSayWhoWasFirst) {
  const auto attack = make_ensemble(member("a", lower(0.2)), member("b", lower(0.4)));

  perturb(*attack);

  EXPECT_THAT(note("fooled_first_by.a"), ElementsAre(1, 0, 0));
  EXPECT_THAT(note("fooled_first_by.b"), ElementsAre(0, 1, 0));
}

TEST_F(EnsembleTest, NotesOfMembersGetTheirNameAndNoNumberWhereTheyWereNotAsked) {
  const auto attack =
      make_ensemble(member("a", lower(0.2)),
                    member("b", [](Target&, const Tensor& x, const Tensor&, AttackContext& c) {
                      c.notes.push_back({"first_pixel", x.select(1, 0)});
                      return x;
                    }));

  perturb(*attack);

  const std::vector<double> values = note("b.first_pixel");
  EXPECT_TRUE(std::isnan(values.at(0)));
  EXPECT_EQ(values.at(1), 0.7);
  EXPECT_EQ(values.at(2), 0.8);
}

TEST_F(EnsembleTest, RowsOfMembersAreRowsOfTheBatch) {
  target_.recording();
  const auto attack = make_ensemble(
      member("a", lower(0.2)),
      member("b", [](Target& t, const Tensor& x, const Tensor& y, AttackContext&) {
        t.logits(x);
        const Tensor last = torch::tensor({1}, torch::kLong);
        t.loss_and_gradient(x.narrow(0, 1, 1), y.narrow(0, 1, 1), Loss::kMargin, last);
        return x;
      }));

  perturb(*attack);

  // The answer to a's result, b's two calls, the answer to b's result.
  ASSERT_EQ(target_.calls().size(), 4U);
  EXPECT_TRUE(torch::equal(target_.calls()[1].rows, torch::tensor({1, 2}, torch::kLong)));
  EXPECT_TRUE(torch::equal(target_.calls()[2].rows, torch::tensor({2}, torch::kLong)));
}

TEST_F(EnsembleTest, VerdictsInsideAreCounted) {
  const auto attack = make_ensemble(member("a", lower(0.2)), member("b", lower(0.4)));

  perturb(*attack);

  EXPECT_EQ(target_.forwards(), 3 + 2);
}

TEST_F(EnsembleTest, WhatLeavesTheBallOrTheBoxIsNotBelieved) {
  const auto far = make_ensemble(member("a", lower(0.4)), member("b", lower(0.2)));
  const auto outside =
      make_ensemble(member("a", [](Target&, const Tensor& x, const Tensor&, AttackContext&) {
        return at::stack({x.select(1, 0), x.select(1, 1) + 1}, 1);
      }));

  EXPECT_THAT(fooled(perturb(*far, 0.3)), ElementsAre(true, false, false));
  EXPECT_THAT(note("fooled_first_by.a"), ElementsAre(0, 0, 0));
  EXPECT_TRUE(torch::equal(perturb(*outside, 2.0), x_));
}

TEST_F(EnsembleTest, UnfooledSamplesGetThePointOfTheLargestMargin) {
  const auto attack =
      make_ensemble(member("a", lower(0.04)), member("b", lower(0.06)), member("c", lower(0.02)));

  EXPECT_TRUE(torch::allclose(perturb(*attack), x_ - torch::tensor({0.06, 0.0}, torch::kDouble)));
}

TEST_F(EnsembleTest, CoupledTargetsAreAskedForWholeBatches) {
  target_.coupled(0.1).recording();
  const auto attack = make_ensemble(member("a", lower(0.2)), member("b", lower(0.6)));

  const Tensor points = perturb(*attack);

  // One answer for each member, one for all winners together.
  ASSERT_EQ(target_.calls().size(), 3U);
  for (const test::Call& call : target_.calls()) EXPECT_EQ(call.x.size(0), 3);
  EXPECT_THAT(fooled(points), ElementsAre(true, true, true));
}

// A row's margin is that of its own point minus the mean of all (coupling -1). Own margins:
//   a: 0.9 -1 -1        mean -0.37, so a fools row 0;
//   b: -1 0.05 0.05     mean -0.3, so b fools rows 1 and 2;
//   the winners of all rows, 0.9 0.05 0.05, have the mean 0.33: together they fool row 0 only.
TEST_F(EnsembleTest, OnCoupledTargetsItIsNoWorseThanItsBestMember) {
  target_.coupled(-1.0);
  const Tensor a = torch::tensor({{0.05, 0.95}, {1.0, 0.0}, {1.0, 0.0}}, torch::kDouble);
  const Tensor b = torch::tensor({{1.0, 0.0}, {0.475, 0.525}, {0.475, 0.525}}, torch::kDouble);
  const auto give = [](const Tensor& points) {
    return [points](Target&, const Tensor&, const Tensor&, AttackContext&) { return points; };
  };
  const auto attack = make_ensemble(member("a", give(a)), member("b", give(b)));

  const Tensor points = perturb(*attack);

  EXPECT_TRUE(torch::equal(points, b));
  EXPECT_THAT(fooled(points), ElementsAre(false, true, true));
}

TEST_F(EnsembleTest, ADeterministicMemberAloneGivesItsOwnPoints) {
  const auto sign_step = [](Target& t, const Tensor& x, const Tensor& y, AttackContext&) {
    return x + 0.2 * t.loss_and_gradient(x, y, Loss::kMargin).gradient.sign();
  };
  const auto attack = make_ensemble(member("fgsm", sign_step));

  const Tensor points = perturb(*attack, 0.2);

  EXPECT_TRUE(torch::equal(points, sign_step(target_, x_, y_, context_)));
}

TEST_F(EnsembleTest, RandomNumbersOfASampleDoNotDependOnWhoIsLeft) {
  Tensor drawn;
  const auto draw = [&](Target&, const Tensor& x, const Tensor&, AttackContext& c) {
    drawn = c.random.uniform(x, 0, 1);
    return x;
  };
  const auto after_none = make_ensemble(member("a", lower(0.0)), member("b", draw));
  const auto after_some = make_ensemble(member("a", lower(0.2)), member("b", draw));

  perturb(*after_none);
  const Tensor all = drawn;
  perturb(*after_some);

  EXPECT_TRUE(torch::equal(drawn, all.narrow(0, 1, 2)));
}

TEST_F(EnsembleTest, MembersHaveRandomNumbersOfTheirOwn) {
  std::vector<Tensor> drawn;
  const auto draw = [&](Target&, const Tensor& x, const Tensor&, AttackContext& c) {
    drawn.push_back(c.random.uniform(x, 0, 1));
    return x;
  };
  const auto attack = make_ensemble(member("a", draw), member("b", draw));

  perturb(*attack);
  context_ = test::context_for(x_, 2);
  attack->perturb(target_, x_, y_, {Norm::kLinf, 1, 0, 1}, context_);

  ASSERT_EQ(drawn.size(), 4U);
  EXPECT_FALSE(torch::equal(drawn[0], drawn[1]));
  EXPECT_FALSE(torch::equal(drawn[0], drawn[2])) << "another seed";
  EXPECT_FALSE(torch::equal(drawn[0][0], drawn[0][1])) << "another sample";
}

TEST(Ensemble, RefusesMembersOfDifferentNorms) {
  const auto same = [](Target&, const Tensor& x, const Tensor&, AttackContext&) { return x; };

  try {
    make_ensemble(member("near", same), member("far", same, Norm::kL2));
    FAIL() << "two norms in one ensemble";
  } catch (const ParamError& error) {
    EXPECT_THAT(error.what(), HasSubstr("\"near\" works in linf, \"far\" in l2"));
  }
}

}  // namespace
}  // namespace unmask::engine::ensemble_test
