// What every attack must keep, whatever it does: the ball, the box, the rules of Target, and
// results that belong to samples and not to batches. Runs over all attacks in the plugin folder.

#include <torch/types.h>

#include <gtest/gtest.h>

#include "conformance/plugin_list.hpp"
#include "support/attack_run.hpp"
#include "support/linear_target.hpp"

namespace unmask::test {
namespace {

constexpr double kEpsilon = 0.04;
const auto kDouble = at::TensorOptions().dtype(at::kDouble);

// Three classes on six 4 x 4 images with pixels at both ends of the box. All images are classified
// correctly; the margins range from a small part to several times of what the attacks can do.
struct Problem {
  explicit Problem(at::ScalarType type = at::kDouble) {
    std::vector<std::int64_t> ids = {0, 1, 2, 3, 4, 5};
    SampleRandom random(5, ids);
    x = random.uniform(at::empty({6, 1, 4, 4}, kDouble), -0.2, 1.2).clamp(0, 1);
    weight = random.stream("weights").normal(at::empty({6, 16}, kDouble)).narrow(0, 0, 3);
    bias = at::zeros({3}, kDouble);
    x = x.to(type);
    weight = weight.contiguous().to(type);
    bias = bias.to(type);
    y = target().answer(x).argmax(1);
  }

  LinearTarget target() const { return {weight, bias}; }

  Tensor x, y, weight, bias;
};

// The attack with budgets that suit six images of sixteen pixels: defaults are made for networks.
Values small(const std::string& id) {
  const std::map<std::string, std::int64_t> budgets = {
      {"steps", 25}, {"search_steps", 4}, {"queries", 60}, {"draws", 12}, {"first_queries", 10}};
  Values result;
  for (const ParamSpec& spec : plugin_descriptor("attack", id).info().params) {
    const auto budget = budgets.find(spec.name);
    if (budget == budgets.end() || !spec.default_value) continue;
    result[spec.name] = std::min(std::get<std::int64_t>(*spec.default_value), budget->second);
  }
  // Three classes are too few for the targeted ratio of logits.
  if (id == "autoattack") result["loss"] = std::string("margin");
  return result;
}

// Parameter values under which an attack is tested: the defaults, with every choice of a norm.
std::vector<Values> variants(const std::string& id) {
  std::vector<Values> result;
  for (const ParamSpec& spec : plugin_descriptor("attack", id).info().params) {
    if (spec.name != "norm") continue;
    for (const std::string& norm : spec.choices) {
      Values values = small(id);
      values["norm"] = norm;
      result.push_back(values);
    }
  }
  if (result.empty()) result.push_back(small(id));
  return result;
}

bool has_capability(const std::string& id, const char* name) {
  return plugin_descriptor("attack", id).info().capabilities.contains(name);
}

// The answers of another target, but one row of the batch always gets the same ones, a thousand
// away from any other class, and no gradient: it stalls whatever an attack does.
class FrozenRow final : public Target {
 public:
  FrozenRow(LinearTarget& inner, std::int64_t row, std::int64_t label)
      : inner_(inner), row_(row), label_(label) {}

  std::int64_t num_classes() const override { return inner_.num_classes(); }
  bool is_batch_independent() const override { return true; }

 private:
  Tensor answer(const Tensor& x, const Tensor& rows) const {
    Tensor logits = inner_.answer(x);
    const Tensor index = rows.defined() ? rows : at::arange(x.size(0), at::kLong);
    const Tensor is_frozen = index.eq(row_).unsqueeze(1);
    const Tensor fixed =
        1000 * at::arange(num_classes(), at::kLong).eq(label_).to(logits.scalar_type());
    return at::where(is_frozen, fixed.unsqueeze(0), logits);
  }
  Tensor do_logits(const Tensor& x, const Tensor& rows) override { return answer(x, rows); }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor& rows) override {
    return differentiate(
        x, [&](const Tensor& p) { return answer(p, rows); }, loss);
  }

  LinearTarget& inner_;
  std::int64_t row_;
  std::int64_t label_;
};

class AttackConformance : public testing::TestWithParam<std::string> {
 protected:
  // With ids 0, 1, ... unless others are given.
  static Tensor run(const Values& values,
                    Target& target,
                    const Tensor& x,
                    const Tensor& y,
                    double epsilon = kEpsilon,
                    std::vector<std::int64_t> ids = {}) {
    const auto instance = make_plugin<Attack>("attack", GetParam(), values);
    AttackContext context = ids.empty() ? context_for(x) : context_for(std::move(ids));
    return instance->perturb(target, x, y, {instance->norm(), epsilon, 0, 1}, context);
  }
};

TEST_P(AttackConformance, DeclaresASoundTable) {
  EXPECT_EQ(table_violation(plugin_descriptor("attack", GetParam()).info().params), std::nullopt);
}

TEST_P(AttackConformance, ReadsEveryDeclaredParameter) {
  const PluginDescriptor descriptor = plugin_descriptor("attack", GetParam());
  const Params params(descriptor.info().params, small(GetParam()));
  const std::unique_ptr<Attack> instance(static_cast<Attack*>(descriptor.create(params, nullptr)));
  const Problem problem;
  LinearTarget target = problem.target();
  AttackContext context = context_for(problem.x);

  instance->perturb(target, problem.x, problem.y, {instance->norm(), kEpsilon, 0, 1}, context);

  EXPECT_TRUE(params.unread().empty()) << params.unread().front();
}

TEST_P(AttackConformance, StaysInTheBallAndInTheBox) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const Values& values : variants(GetParam())) {
      const Problem problem(type);
      const auto instance = make_plugin<Attack>("attack", GetParam(), values);
      for (const double epsilon : {8.0 / 255, 0.3, 2.0}) {
        LinearTarget target = problem.target();

        const Tensor point = run(values, target, problem.x, problem.y, epsilon);

        const double moved = distance(point, problem.x, instance->norm()).max().item<double>();
        EXPECT_LE(moved, epsilon * (1 + 1e-6) + 1e-7);
        EXPECT_GE(point.min().item<double>(), 0.0);
        EXPECT_LE(point.max().item<double>(), 1.0);
      }
    }
  }
}

TEST_P(AttackConformance, KeepsShapeAndType) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const Problem problem(type);
    LinearTarget target = problem.target();

    const Tensor point = run(small(GetParam()), target, problem.x, problem.y);

    EXPECT_EQ(point.sizes(), problem.x.sizes());
    EXPECT_EQ(point.scalar_type(), type);
    EXPECT_FALSE(point.requires_grad());
  }
}

TEST_P(AttackConformance, ReturnsTheImagesForAnEmptyBall) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    LinearTarget target = problem.target();

    EXPECT_TRUE(at::equal(run(values, target, problem.x, problem.y, 0.0), problem.x));
  }
}

TEST_P(AttackConformance, AcceptsABatchOfNothing) {
  const Problem problem;
  LinearTarget target = problem.target();

  const Tensor point =
      run(small(GetParam()), target, problem.x.narrow(0, 0, 0), problem.y.narrow(0, 0, 0));

  EXPECT_EQ(point.sizes(), at::IntArrayRef({0, 1, 4, 4}));
}

TEST_P(AttackConformance, LeavesItsInputAlone) {
  const Problem problem;
  const Tensor x = problem.x.clone();
  const Tensor y = problem.y.clone();
  LinearTarget target = problem.target();

  const Tensor point = run(small(GetParam()), target, problem.x, problem.y);
  point.fill_(0.5);

  EXPECT_TRUE(at::equal(problem.x, x));
  EXPECT_TRUE(at::equal(problem.y, y));
}

TEST_P(AttackConformance, GivesTheSameBitsForTheSameSeed) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem(at::kFloat);
    LinearTarget first = problem.target();
    LinearTarget second = problem.target();

    EXPECT_TRUE(at::equal(run(values, first, problem.x, problem.y),
                          run(values, second, problem.x, problem.y)));
  }
}

TEST_P(AttackConformance, DoesNotDependOnTheOrderOfSamples) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    LinearTarget first = problem.target();
    LinearTarget second = problem.target();
    const std::vector<std::int64_t> order = {4, 0, 5, 2, 1, 3};
    const Tensor index = at::tensor(order, at::kLong);

    const Tensor straight = run(values, first, problem.x, problem.y);
    const Tensor shuffled = run(values,
                                second,
                                problem.x.index_select(0, index),
                                problem.y.index_select(0, index),
                                kEpsilon,
                                order);

    // The fake target sums every row alike; the allowance covers vectorised remainders.
    EXPECT_TRUE(at::allclose(shuffled, straight.index_select(0, index), 0, 1e-12));
  }
}

TEST_P(AttackConformance, DoesNotDependOnTheSplitIntoBatches) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    LinearTarget target = problem.target();

    const Tensor whole = run(values, target, problem.x, problem.y);
    const Tensor head =
        run(values, target, problem.x.narrow(0, 0, 2), problem.y.narrow(0, 0, 2), kEpsilon, {0, 1});
    const Tensor tail = run(values,
                            target,
                            problem.x.narrow(0, 2, 4),
                            problem.y.narrow(0, 2, 4),
                            kEpsilon,
                            {2, 3, 4, 5});

    EXPECT_TRUE(at::allclose(at::cat({head, tail}), whole, 0, 1e-12));
  }
}

TEST_P(AttackConformance, IsNeverWeakerWithMoreRepetitions) {
  for (const char* name : {"restarts", "repeats"}) {
    bool is_declared = false;
    for (const ParamSpec& spec : plugin_descriptor("attack", GetParam()).info().params) {
      is_declared |= spec.name == name;
    }
    if (!is_declared) continue;
    for (Values values : variants(GetParam())) {
      const Problem problem;
      for (const double epsilon : {0.02, 0.1, 0.4}) {
        Tensor before;
        for (const std::int64_t count : {1, 2, 4, 8}) {
          values[name] = count;
          LinearTarget target = problem.target();
          const Tensor point = run(values, target, problem.x, problem.y, epsilon);
          const Tensor fooled = target.answer(point).argmax(1).ne(problem.y);
          if (before.defined()) {
            EXPECT_FALSE((before & ~fooled).any().item<bool>());
          }
          before = fooled;
        }
      }
    }
  }
}

// Every call is either the whole batch in order or, where the target allows it, named rows of it.
void expect_rows_are_named(const LinearTarget& target, const Tensor& x, bool may_drop) {
  const Tensor all = at::arange(x.size(0), at::kLong);
  for (const Call& call : target.calls()) {
    if (!call.rows.defined()) {
      EXPECT_EQ(call.x.size(0), x.size(0));
      continue;
    }
    ASSERT_EQ(call.rows.size(0), call.x.size(0));
    if (!may_drop) {
      EXPECT_TRUE(at::equal(call.rows, all));
    }
  }
}

TEST_P(AttackConformance, PassesTheWholeBatchToACoupledTarget) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    LinearTarget target = problem.target();
    target.coupled(0.2).recording();

    run(values, target, problem.x, problem.y, 0.3);

    expect_rows_are_named(target, problem.x, /*may_drop=*/false);
  }
}

// A coupled batch holds images that were wrong from the start; their distance to a wrong point is
// zero.
TEST_P(AttackConformance, BearsMisclassifiedImagesInACoupledBatch) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem(at::kFloat);
    LinearTarget target = problem.target();
    target.coupled(0.2).recording();
    Tensor y = problem.y.clone();
    y[1] = (y[1] + 1) % 3;

    const Tensor point = run(values, target, problem.x, y, 0.3);

    EXPECT_TRUE(point.isfinite().all().item<bool>());
    for (const Call& call : target.calls()) EXPECT_TRUE(call.x.isfinite().all().item<bool>());
  }
}

TEST_P(AttackConformance, NamesTheRowsThatItPasses) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    LinearTarget target = problem.target();
    target.recording();

    const Tensor point = run(values, target, problem.x, problem.y, 0.1);

    expect_rows_are_named(target, problem.x, /*may_drop=*/true);
    // The points of a call stay near the images of the rows that it names. An estimate of a
    // gradient may look delta further than the ball; those that look for the smallest perturbation
    // come from outside and say so.
    if (has_capability(GetParam(), "asks_outside_ball")) continue;
    for (const Call& call : target.calls()) {
      const Tensor images = call.rows.defined() ? problem.x.index_select(0, call.rows) : problem.x;
      EXPECT_LE(distance(call.x, images, make_plugin<Attack>("attack", GetParam(), values)->norm())
                    .max()
                    .item<double>(),
                0.1 + 0.05);
    }
  }
}

TEST_P(AttackConformance, AsksOnlyInsideTheBox) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    LinearTarget target = problem.target();
    target.recording();

    run(values, target, problem.x, problem.y, 0.3);

    for (const Call& call : target.calls()) {
      EXPECT_GE(call.x.min().item<double>(), 0.0);
      EXPECT_LE(call.x.max().item<double>(), 1.0);
    }
  }
}

TEST_P(AttackConformance, AsksForNoGradientWhenItSaysSo) {
  if (!has_capability(GetParam(), "gradient_free")) return;
  const Problem problem;
  LinearTarget target = problem.target();

  run(small(GetParam()), target, problem.x, problem.y);

  EXPECT_EQ(target.backwards(), 0);
}

// One sample that nothing can fool beside one that falls easily.
TEST_P(AttackConformance, IsNotDisturbedByANeighbourThatCannotFall) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    const Tensor x = problem.x.narrow(0, 0, 2);
    LinearTarget target = problem.target();
    LinearTarget alone = problem.target();
    const Tensor y = problem.y.narrow(0, 0, 2);
    FrozenRow frozen(target, /*row=*/1, y[1].item<std::int64_t>());

    const Tensor both = run(values, frozen, x, y, 0.3, {0, 1});
    const Tensor one = run(values, alone, x.narrow(0, 0, 1), y.narrow(0, 0, 1), 0.3, {0});

    EXPECT_TRUE(at::allclose(both.narrow(0, 0, 1), one, 0, 1e-12));
  }
}

// Two ways to run the same network: `inner` with everything that may be left out left out, and
// this.
class Undroppable final : public Target {
 public:
  explicit Undroppable(LinearTarget& inner) : inner_(inner) {}
  std::int64_t num_classes() const override { return inner_.num_classes(); }
  bool is_batch_independent() const override { return false; }

 private:
  Tensor do_logits(const Tensor& x, const Tensor&) override { return inner_.answer(x); }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    return differentiate(
        x, [&](const Tensor& p) { return inner_.answer(p); }, loss);
  }
  LinearTarget& inner_;
};

// Leaving fooled samples out saves work and decides nothing: the same samples fall.
TEST_P(AttackConformance, FoolsTheSameWhetherFooledSamplesLeaveOrStay) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    for (const double epsilon : {0.05, 0.2}) {
      LinearTarget target = problem.target();
      Undroppable whole(target);

      const Tensor left = run(values, target, problem.x, problem.y, epsilon);
      const Tensor stayed = run(values, whole, problem.x, problem.y, epsilon);

      EXPECT_TRUE(at::equal(target.answer(left).argmax(1).ne(problem.y),
                            target.answer(stayed).argmax(1).ne(problem.y)));
    }
  }
}

// What the target counts for each row is what it was asked about it: no row twice in a call.
TEST_P(AttackConformance, AsksOncePerCallForARow) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    LinearTarget target = problem.target();
    target.recording();

    run(values, target, problem.x, problem.y, 0.1);

    std::int64_t observed = 0;
    Tensor queries = at::zeros({problem.x.size(0)}, at::kLong);
    for (const Call& call : target.calls()) {
      const Tensor rows =
          call.rows.defined() ? call.rows : at::arange(problem.x.size(0), at::kLong);
      EXPECT_EQ(std::get<0>(at::_unique(rows)).size(0), rows.size(0));
      queries.index_add_(0, rows, at::ones_like(rows));
      observed += call.x.size(0);
    }
    EXPECT_EQ(observed, target.forward_passes());
    EXPECT_EQ(queries.sum().item<std::int64_t>(), observed);
  }
}

// A constant in all logits changes no prediction. (A margin that hides the label with a zero, as
// some programs have it, fails where all logits are negative.)
TEST_P(AttackConformance, WorksWhereAllLogitsAreNegative) {
  for (const Values& values : variants(GetParam())) {
    const Problem problem;
    LinearTarget plain = problem.target();
    LinearTarget lowered(problem.weight, problem.bias - 64);
    ASSERT_LT(lowered.answer(problem.x).max().item<double>(), 0.0);

    const Tensor here = run(values, plain, problem.x, problem.y, 0.3);
    const Tensor there = run(values, lowered, problem.x, problem.y, 0.3);

    EXPECT_TRUE(at::equal(plain.answer(here).argmax(1), plain.answer(there).argmax(1)));
  }
}

// No false alarm: where the smallest perturbation is twice the radius nobody is fooled.
TEST_P(AttackConformance, FoolsNobodyWhoIsRobust) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const Values& values : variants(GetParam())) {
      const Problem problem(type);
      const Norm norm = make_plugin<Attack>("attack", GetParam(), values)->norm();
      const double epsilon = norm == Norm::kL1 ? 1.0 : norm == Norm::kL2 ? 0.3 : 0.05;
      // Class 0 everywhere, by a margin of at least 2 epsilon ||w_0 - w_k|| in the dual norm.
      const Tensor u = problem.weight[0].unsqueeze(0) - problem.weight;
      const Tensor reach = distance(u,
                                    at::zeros_like(u),
                                    norm == Norm::kL2     ? Norm::kL2
                                    : norm == Norm::kLinf ? Norm::kL1
                                                          : Norm::kLinf);
      const Tensor products = at::matmul(problem.x.flatten(1), u.t()).to(at::kDouble);
      Tensor bias = at::zeros_like(problem.bias);
      bias[0] = (2 * epsilon * reach.unsqueeze(0) - products).max().item<double>();
      const Tensor y = at::zeros_like(problem.y);
      LinearTarget target(problem.weight, bias);

      const Tensor points = run(values, target, problem.x, y, epsilon);

      EXPECT_TRUE(at::equal(target.answer(points).argmax(1), y));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttackConformance, testing::ValuesIn(plugin_ids("attack")), id_of);

TEST(AttackList, HoldsTheShippedAttacks) {
  EXPECT_GE(plugin_ids("attack").size(), 5U);
}

}  // namespace
}  // namespace unmask::test
