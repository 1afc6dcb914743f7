// What every attack must keep, whatever it does: the ball, the box, the rules of Target, and
// results that belong to samples and not to batches. Tried on linear targets with known answers.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "conformance/kinds.hpp"
#include "unmask/attack.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::conformance {
namespace attacks {
namespace {

using test::Call;
using test::LinearTarget;
using Problem = test::SixImages;

constexpr double kEpsilon = 0.04;

// An attack with one set of values. Ids are 0, 1, ... unless others are given.
class Trial {
 public:
  Trial(const Subject& subject, Values values) : subject_(subject), values_(std::move(values)) {}

  std::unique_ptr<Attack> instance() const { return subject_.make<Attack>(values_); }
  Norm norm() const { return instance()->norm(); }

  Tensor run(Target& target,
             const Tensor& x,
             const Tensor& y,
             double epsilon = kEpsilon,
             std::vector<std::int64_t> ids = {}) const {
    if (ids.empty()) {
      ids.resize(static_cast<std::size_t>(x.size(0)));
      std::iota(ids.begin(), ids.end(), 0);
    }
    const auto attack = instance();
    AttackContext context{SampleRandom(1, std::move(ids))};
    return attack->perturb(target, x, y, {attack->norm(), epsilon, 0, 1}, context);
  }

  Tensor run(Target& target, const Problem& problem, double epsilon = kEpsilon) const {
    return run(target, problem.x, problem.y, epsilon);
  }

  // " (norm l2)" where the claim is tried under several norms.
  std::string where() const {
    const auto norm = values_.find("norm");
    return norm == values_.end() ? "" : " (norm " + to_text(norm->second) + ")";
  }

  Trial with(const std::string& name, ParamValue value) const {
    Values values = values_;
    values.insert_or_assign(name, std::move(value));
    return {subject_, std::move(values)};
  }

 private:
  const Subject& subject_;
  Values values_;
};

// The attack as it is, or under every choice of its norm where none is asked for.
std::vector<Trial> trials(const Subject& subject) {
  const ParamSpec* norm = subject.param("norm");
  if (norm == nullptr || norm->type != ParamType::kChoice || subject.values.contains("norm")) {
    return {Trial(subject, {})};
  }
  std::vector<Trial> all;
  for (const std::string& choice : norm->choices)
    all.emplace_back(subject, Values{{"norm", choice}});
  return all;
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
    return test::differentiate(
        x, [&](const Tensor& p) { return answer(p, rows); }, loss);
  }

  LinearTarget& inner_;
  std::int64_t row_;
  std::int64_t label_;
};

// The same network as `inner`, but nobody may be left out of a call.
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
    return test::differentiate(
        x, [&](const Tensor& p) { return inner_.answer(p); }, loss);
  }
  LinearTarget& inner_;
};

std::string type_name(at::ScalarType type) {
  return type == at::kFloat ? "float32" : "float64";
}

void stays_in_ball_and_box(const Subject& subject, Findings& findings) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const Trial& trial : trials(subject)) {
      const Problem problem(type);
      for (const double epsilon : {8.0 / 255, 0.3, 2.0}) {
        LinearTarget target = problem.target();
        const Tensor point = trial.run(target, problem, epsilon);
        const std::string where = trial.where() + " in " + type_name(type);
        if (!point.isfinite().all().item<bool>()) {
          findings.expect(false, "a point is not finite" + where);
          continue;
        }
        // What the host forgives, the room for rounding in float32.
        findings.at_most(distance(point, problem.x, trial.norm()).max().item<double>(),
                         epsilon * (1 + 1e-6) + 1e-7,
                         "the distance of a point" + where);
        findings.expect(point.min().item<double>() >= 0 && point.max().item<double>() <= 1,
                        "a pixel leaves [0, 1]" + where);
      }
    }
  }
}

void keeps_shape_and_type(const Subject& subject, Findings& findings) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const Problem problem(type);
    LinearTarget target = problem.target();
    const Tensor point = trials(subject).front().run(target, problem);
    findings.expect(point.sizes() == problem.x.sizes(), "its points have another shape");
    findings.expect(point.scalar_type() == type, "its points are not of " + type_name(type));
    findings.expect(!point.requires_grad(), "its points hang in a graph");
  }
}

void returns_the_images_for_an_empty_ball(const Subject& subject, Findings& findings) {
  for (const Trial& trial : trials(subject)) {
    const Problem problem;
    LinearTarget target = problem.target();
    findings.expect(at::equal(trial.run(target, problem, 0.0), problem.x),
                    "at epsilon 0 its points are not the images" + trial.where());
  }
}

void accepts_no_images(const Subject& subject, Findings& findings) {
  const Problem problem;
  LinearTarget target = problem.target();
  const Tensor point =
      trials(subject).front().run(target, problem.x.narrow(0, 0, 0), problem.y.narrow(0, 0, 0));
  findings.expect(point.sizes() == at::IntArrayRef({0, 1, 4, 4}),
                  "a batch without images gives another shape");
}

void leaves_its_input_alone(const Subject& subject, Findings& findings) {
  const Problem problem;
  const Tensor x = problem.x.clone();
  const Tensor y = problem.y.clone();
  LinearTarget target = problem.target();
  const Tensor point = trials(subject).front().run(target, problem);
  findings.expect(at::equal(problem.x, x) && at::equal(problem.y, y),
                  "it changes the images or labels that it is given");
  point.fill_(0.5);
  findings.expect(at::equal(problem.x, x), "its points share memory with the images");
}

void repeats_itself(const Subject& subject, Findings& findings) {
  for (const Trial& trial : trials(subject)) {
    const Problem problem(at::kFloat);
    LinearTarget first = problem.target();
    LinearTarget second = problem.target();
    findings.expect(at::equal(trial.run(first, problem), trial.run(second, problem)),
                    "two runs with one seed differ" + trial.where());
  }
}

void depends_on_no_order(const Subject& subject, Findings& findings) {
  for (const Trial& trial : trials(subject)) {
    const Problem problem;
    LinearTarget first = problem.target();
    LinearTarget second = problem.target();
    const std::vector<std::int64_t> order = {4, 0, 5, 2, 1, 3};
    const Tensor index = at::tensor(order, at::kLong);
    const Tensor straight = trial.run(first, problem);
    const Tensor shuffled = trial.run(second,
                                      problem.x.index_select(0, index),
                                      problem.y.index_select(0, index),
                                      kEpsilon,
                                      order);
    // The target sums every row alike; the allowance covers vectorised remainders.
    findings.expect(at::allclose(shuffled, straight.index_select(0, index), 0, 1e-12),
                    "samples in another order get other points" + trial.where() +
                        "; draw from context.random, whose numbers belong to samples");
  }
}

void depends_on_no_split(const Subject& subject, Findings& findings) {
  for (const Trial& trial : trials(subject)) {
    const Problem problem;
    LinearTarget target = problem.target();
    const Tensor whole = trial.run(target, problem);
    const auto part = [&](std::int64_t from, std::vector<std::int64_t> ids) {
      const auto count = static_cast<std::int64_t>(ids.size());
      return trial.run(target,
                       problem.x.narrow(0, from, count),
                       problem.y.narrow(0, from, count),
                       kEpsilon,
                       std::move(ids));
    };
    findings.expect(
        at::allclose(at::cat({part(0, {0, 1}), part(2, {2, 3, 4, 5})}), whole, 0, 1e-12),
        "smaller batches get other points" + trial.where());
  }
}

void grows_with_repetitions(const Subject& subject, Findings& findings) {
  bool is_declared = false;
  for (const char* name : {"restarts", "repeats"}) {
    if (subject.param(name) == nullptr) continue;
    is_declared = true;
    for (const Trial& trial : trials(subject)) {
      const Problem problem;
      for (const double epsilon : {0.02, 0.1, 0.4}) {
        Tensor before;
        for (const std::int64_t count : {1, 2, 4, 8}) {
          LinearTarget target = problem.target();
          const Tensor point = trial.with(name, count).run(target, problem, epsilon);
          const Tensor fooled = target.answer(point).argmax(1).ne(problem.y);
          if (before.defined()) {
            findings.expect(!(before & ~fooled).any().item<bool>(),
                            "with " + std::to_string(count) + " " + name +
                                " it misses a sample that fewer fooled" + trial.where());
          }
          before = fooled;
        }
      }
    }
  }
  if (!is_declared) findings.does_not_apply("it has no restarts or repeats");
}

// Every call is either the whole batch in order or, where the target allows it, named rows of it.
void check_rows(const LinearTarget& target,
                const Tensor& x,
                bool may_drop,
                const std::string& where,
                Findings& findings) {
  const Tensor all = at::arange(x.size(0), at::kLong);
  for (const Call& call : target.calls()) {
    if (!call.rows.defined()) {
      findings.expect(call.x.size(0) == x.size(0),
                      "a call passes " + std::to_string(call.x.size(0)) + " of " +
                          std::to_string(x.size(0)) + " rows without naming them" + where);
    } else if (call.rows.size(0) != call.x.size(0)) {
      findings.expect(false, "a call names other rows than it passes" + where);
    } else {
      findings.expect(may_drop || at::equal(call.rows, all), "a call leaves rows out" + where);
      findings.expect(std::get<0>(at::_unique(call.rows)).size(0) == call.rows.size(0),
                      "a call passes a row twice" + where);
    }
  }
}

void passes_whole_batches_where_it_must(const Subject& subject, Findings& findings) {
  for (const Trial& trial : trials(subject)) {
    const Problem problem;
    LinearTarget target = problem.target();
    target.coupled(0.2).recording();
    trial.run(target, problem, 0.3);
    check_rows(target, problem.x, /*may_drop=*/false, trial.where(), findings);
  }
}

// A coupled batch holds images that were wrong from the start; their distance to a wrong point is
// zero.
void bears_misclassified_images(const Subject& subject, Findings& findings) {
  for (const Trial& trial : trials(subject)) {
    const Problem problem(at::kFloat);
    LinearTarget target = problem.target();
    target.coupled(0.2).recording();
    Tensor y = problem.y.clone();
    y[1] = (y[1] + 1) % 3;
    const Tensor point = trial.run(target, problem.x, y, 0.3);
    findings.expect(point.isfinite().all().item<bool>(),
                    "beside a misclassified image a point is not finite" + trial.where());
    for (const Call& call : target.calls()) {
      findings.expect(
          call.x.isfinite().all().item<bool>(),
          "beside a misclassified image it asks about a point that is not finite" + trial.where());
    }
  }
}

void names_its_rows(const Subject& subject, Findings& findings) {
  for (const Trial& trial : trials(subject)) {
    const Problem problem;
    LinearTarget target = problem.target();
    target.recording();
    trial.run(target, problem, 0.1);
    check_rows(target, problem.x, /*may_drop=*/true, trial.where(), findings);
    // The points of a call stay near the images of the rows that it names. An estimate of a
    // gradient may look a little further than the ball; those that look for the smallest
    // perturbation come from outside and say so.
    if (subject.has("asks_outside_ball")) continue;
    for (const Call& call : target.calls()) {
      if (call.rows.defined() && call.rows.size(0) != call.x.size(0)) continue;
      const Tensor images = call.rows.defined() ? problem.x.index_select(0, call.rows) : problem.x;
      if (images.size(0) != call.x.size(0)) continue;
      findings.at_most(
          distance(call.x, images, trial.norm()).max().item<double>(),
          0.1 + 0.05,
          "with epsilon 0.1, the distance of a point that it asks about" + trial.where());
    }
  }
}

void asks_inside_the_box(const Subject& subject, Findings& findings) {
  for (const Trial& trial : trials(subject)) {
    const Problem problem;
    LinearTarget target = problem.target();
    target.recording();
    trial.run(target, problem, 0.3);
    for (const Call& call : target.calls()) {
      findings.expect(call.x.numel() == 0 ||
                          (call.x.min().item<double>() >= 0 && call.x.max().item<double>() <= 1),
                      "it asks about an image with pixels outside of [0, 1]" + trial.where());
    }
  }
}

void asks_for_no_gradient(const Subject& subject, Findings& findings) {
  if (!subject.has("gradient_free")) {
    return findings.does_not_apply("it does not claim to be gradient_free");
  }
  const Problem problem;
  LinearTarget target = problem.target();
  trials(subject).front().run(target, problem);
  findings.expect(target.backwards() == 0,
                  "it claims to be gradient_free and asks for " +
                      std::to_string(target.backwards()) + " gradients");
}

// One sample that nothing can fool beside one that falls easily.
void bears_a_neighbour_that_cannot_fall(const Subject& subject, Findings& findings) {
  for (const Trial& trial : trials(subject)) {
    const Problem problem;
    const Tensor x = problem.x.narrow(0, 0, 2);
    const Tensor y = problem.y.narrow(0, 0, 2);
    LinearTarget target = problem.target();
    LinearTarget alone = problem.target();
    FrozenRow frozen(target, /*row=*/1, y[1].item<std::int64_t>());
    const Tensor both = trial.run(frozen, x, y, 0.3, {0, 1});
    const Tensor one = trial.run(alone, x.narrow(0, 0, 1), y.narrow(0, 0, 1), 0.3, {0});
    findings.expect(at::allclose(both.narrow(0, 0, 1), one, 0, 1e-12),
                    "a sample gets another point beside one that nothing fools" + trial.where());
  }
}

// Leaving fooled samples out saves work and decides nothing: the same samples fall.
void fools_the_same_whoever_leaves(const Subject& subject, Findings& findings) {
  for (const Trial& trial : trials(subject)) {
    const Problem problem;
    for (const double epsilon : {0.05, 0.2}) {
      LinearTarget target = problem.target();
      Undroppable whole(target);
      const Tensor left = trial.run(target, problem, epsilon);
      const Tensor stayed = trial.run(whole, problem, epsilon);
      findings.expect(at::equal(target.answer(left).argmax(1).ne(problem.y),
                                target.answer(stayed).argmax(1).ne(problem.y)),
                      "other samples fall where none may be left out of a call" + trial.where());
    }
  }
}

// A constant in all logits changes no prediction. (A margin that hides the label with a zero, as
// some programs have it, fails where all logits are negative.)
void works_on_negative_logits(const Subject& subject, Findings& findings) {
  for (const Trial& trial : trials(subject)) {
    const Problem problem;
    LinearTarget plain = problem.target();
    LinearTarget lowered(problem.weight, problem.bias - 64);
    const Tensor here = trial.run(plain, problem, 0.3);
    const Tensor there = trial.run(lowered, problem, 0.3);
    findings.expect(at::equal(plain.answer(here).argmax(1), plain.answer(there).argmax(1)),
                    "other samples fall when 64 is taken from every logit" + trial.where());
  }
}

// No false alarm: where the smallest perturbation is twice the radius nobody is fooled.
void fools_nobody_who_is_robust(const Subject& subject, Findings& findings) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const Trial& trial : trials(subject)) {
      const Problem problem(type);
      const Norm norm = trial.norm();
      const double epsilon = norm == Norm::kL1 ? 1.0 : norm == Norm::kL2 ? 0.3 : 0.05;
      // Class 0 everywhere, by a margin of at least 2 epsilon ||w_0 - w_k|| in the dual norm.
      const Tensor u = problem.weight[0].unsqueeze(0) - problem.weight;
      const Norm dual = norm == Norm::kL2     ? Norm::kL2
                        : norm == Norm::kLinf ? Norm::kL1
                                              : Norm::kLinf;
      const Tensor reach = distance(u, at::zeros_like(u), dual);
      const Tensor products = at::matmul(problem.x.flatten(1), u.t()).to(at::kDouble);
      Tensor bias = at::zeros_like(problem.bias);
      bias[0] = (2 * epsilon * reach.unsqueeze(0) - products).max().item<double>();
      const Tensor y = at::zeros_like(problem.y);
      LinearTarget target(problem.weight, bias);
      const Tensor points = trial.run(target, problem.x, y, epsilon);
      findings.expect(at::equal(target.answer(points).argmax(1), y),
                      "it fools a network that no point of the ball fools" + trial.where());
    }
  }
}

constexpr Claim kClaims[] = {
    {"stays inside the ball and the box", stays_in_ball_and_box},
    {"keeps the shape and the type of the images", keeps_shape_and_type},
    {"returns the images themselves at epsilon 0", returns_the_images_for_an_empty_ball},
    {"accepts a batch without images", accepts_no_images},
    {"leaves its input alone", leaves_its_input_alone},
    {"gives the same bits for the same seed", repeats_itself},
    {"does not depend on the order of samples", depends_on_no_order},
    {"does not depend on the split into batches", depends_on_no_split},
    {"fools no fewer with more repetitions", grows_with_repetitions},
    {"passes whole batches where samples influence each other", passes_whole_batches_where_it_must},
    {"bears misclassified images beside others", bears_misclassified_images},
    {"names the rows that it passes", names_its_rows},
    {"asks only about images in the box", asks_inside_the_box},
    {"asks for no gradient when it says so", asks_for_no_gradient},
    {"is not disturbed by a neighbour that cannot fall", bears_a_neighbour_that_cannot_fall},
    {"fools the same samples whether fooled ones leave or stay", fools_the_same_whoever_leaves},
    {"works where all logits are negative", works_on_negative_logits},
    {"fools nobody who is robust", fools_nobody_who_is_robust},
};

}  // namespace
}  // namespace attacks

std::span<const Claim> attack_claims() {
  return attacks::kClaims;
}

}  // namespace unmask::conformance
