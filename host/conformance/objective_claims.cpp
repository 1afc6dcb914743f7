// What every objective must keep: a finite scalar whose gradient reaches the parameters, the same
// one for the same step, whatever the order of the batch.

#include <cmath>
#include <string>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include "conformance/kinds.hpp"
#include "unmask/objective.hpp"
#include "unmask/testing/linear_step.hpp"

namespace unmask::conformance {
namespace objectives {
namespace {

using test::LinearStep;

struct Batch {
  explicit Batch(at::ScalarType type = at::kFloat) {
    x = SampleRandom(3, ids).uniform(at::empty({4, 1, 4, 4}, at::kFloat), 0, 1).to(type);
    weight = SampleRandom(4, {0, 1, 2}).normal(at::empty({3, 16}, at::kFloat)).to(type);
  }
  std::vector<std::int64_t> ids = {0, 1, 2, 3};
  Tensor x, weight;
  Tensor y = at::tensor({0, 2, 1, 1}, at::kLong);
};

void gives_a_finite_scalar(const Subject& subject, Findings& findings) {
  const Batch batch;
  LinearStep step(batch.weight, batch.ids);
  const Tensor loss = subject.make<Objective>()->loss(step, batch.x, batch.y);
  findings.expect(loss.defined() && loss.dim() == 0, "its loss is not one number");
  if (loss.defined() && loss.dim() == 0) {
    findings.expect(std::isfinite(loss.item<double>()), "its loss is not finite");
  }
}

void reaches_the_parameters(const Subject& subject, Findings& findings) {
  const Batch batch;
  LinearStep step(batch.weight, batch.ids);
  subject.make<Objective>()->loss(step, batch.x, batch.y).backward();
  const Tensor gradient = step.weight().grad();
  findings.expect(gradient.defined() && gradient.abs().max().item<double>() > 0,
                  "no gradient arrives at the weights of the network");
}

void keeps_the_type(const Subject& subject, Findings& findings) {
  const Batch batch(at::kDouble);
  LinearStep step(batch.weight, batch.ids);
  const Tensor loss = subject.make<Objective>()->loss(step, batch.x, batch.y);
  findings.expect(loss.scalar_type() == at::kDouble,
                  "for a float64 network its loss is not float64");
}

void leaves_its_input_alone(const Subject& subject, Findings& findings) {
  const Batch batch;
  const Tensor x = batch.x.clone();
  LinearStep step(batch.weight, batch.ids);
  subject.make<Objective>()->loss(step, batch.x, batch.y);
  findings.expect(at::equal(batch.x, x), "it changes the images that it is given");
  findings.expect(!batch.x.requires_grad(), "it makes the images require a gradient");
}

void repeats_itself(const Subject& subject, Findings& findings) {
  const Batch batch;
  LinearStep first(batch.weight, batch.ids);
  LinearStep second(batch.weight, batch.ids);
  const auto instance = subject.make<Objective>();
  const Tensor a = instance->loss(first, batch.x, batch.y);
  const Tensor b = instance->loss(second, batch.x, batch.y);
  findings.expect(at::equal(a, b), "the same step has another loss a second time");
  a.backward();
  b.backward();
  findings.expect(at::equal(first.weight().grad(), second.weight().grad()),
                  "the same step has another gradient a second time");
}

void draws_nothing_globally(const Subject& subject, Findings& findings) {
  const Batch batch;
  LinearStep first(batch.weight, batch.ids);
  LinearStep second(batch.weight, batch.ids);
  const auto instance = subject.make<Objective>();
  torch::manual_seed(1);
  const Tensor a = instance->loss(first, batch.x, batch.y);
  torch::manual_seed(2);
  const Tensor b = instance->loss(second, batch.x, batch.y);
  findings.expect(at::equal(a, b),
                  "its loss follows LibTorch's global generator; draw from step.random()");
}

// The mean over the batch, and draws that belong to samples: another order changes the order of a
// sum of four numbers alone, a few units of float64 rounding (1e-16 of losses below 10).
void depends_on_no_order(const Subject& subject, Findings& findings) {
  const Batch batch(at::kDouble);
  const Tensor order = at::tensor({2, 0, 3, 1}, at::kLong);
  LinearStep straight(batch.weight, {0, 1, 2, 3});
  LinearStep shuffled(batch.weight, {2, 0, 3, 1});
  const auto instance = subject.make<Objective>();
  const Tensor a = instance->loss(straight, batch.x, batch.y);
  const Tensor b =
      instance->loss(shuffled, batch.x.index_select(0, order), batch.y.index_select(0, order));
  findings.at_most(std::abs(a.item<double>() - b.item<double>()),
                   1e-13,
                   "the difference of the loss for another order of the batch");
}

void asks_about_whole_batches(const Subject& subject, Findings& findings) {
  const Batch batch;
  LinearStep step(batch.weight, batch.ids);
  step.linear_target().coupled(0.1).recording();
  subject.make<Objective>()->loss(step, batch.x, batch.y);
  for (const test::Call& call : step.linear_target().calls()) {
    findings.expect(call.x.size(0) == 4 &&
                        (!call.rows.defined() || at::equal(call.rows, at::arange(4, at::kLong))),
                    "its attack leaves rows out of a call");
  }
}

constexpr Claim kClaims[] = {
    {"gives a finite scalar", gives_a_finite_scalar},
    {"lets the gradient reach the parameters", reaches_the_parameters},
    {"keeps the type of the network", keeps_the_type},
    {"leaves its input alone", leaves_its_input_alone},
    {"repeats itself for the same step", repeats_itself},
    {"draws nothing from the global generator", draws_nothing_globally},
    {"does not depend on the order of the batch", depends_on_no_order},
    {"asks the target about whole batches", asks_about_whole_batches},
};

}  // namespace
}  // namespace objectives

std::span<const Claim> objective_claims() {
  return objectives::kClaims;
}

}  // namespace unmask::conformance
