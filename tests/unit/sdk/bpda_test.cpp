// Parts of a network with the derivative of something else.

#include <torch/autograd.h>
#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/bpda_context.hpp"
#include "unmask/errors.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::bpda_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);

Tensor staircase(const Tensor& x) {
  return (x * 16).floor() / 16;
}

Tensor wave(const Tensor& x) {
  return x.sin();
}

// d sum(weight * apply(staircase, x, wave)) / dx
Tensor gradient(Bpda bpda, const Tensor& x, const Tensor& weight) {
  const torch::AutoGradMode with_grad(true);
  test::BpdaContext context(bpda);
  const Tensor input = x.clone().requires_grad_(true);
  const Tensor value = context.apply(staircase, input, wave);
  return torch::autograd::grad({(weight * value).sum()}, {input})[0];
}

class Apply : public testing::Test {
 protected:
  Tensor x = at::linspace(-0.9, 1.3, 97, kDouble).view({97, 1});
  Tensor weight = at::linspace(-3, 2, 97, kDouble).view({97, 1});
};

TEST_F(Apply, GivesTheSameBitsWhateverStandsForTheDerivative) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    // Numbers that x + (value - x) would round differently.
    const Tensor points = (x * 1.2345678).to(type);
    for (const Bpda bpda : {Bpda::kNone, Bpda::kIdentity, Bpda::kSmooth}) {
      test::BpdaContext context(bpda);

      EXPECT_TRUE(at::equal(context.apply(staircase, points, wave), staircase(points)));
    }
  }
}

TEST_F(Apply, DifferentiatesThePartItselfUnlessAskedOtherwise) {
  EXPECT_TRUE(at::equal(gradient(Bpda::kNone, x, weight), at::zeros_like(x)));
}

TEST_F(Apply, HasTheDerivativeOfTheIdentity) {
  EXPECT_TRUE(at::equal(gradient(Bpda::kIdentity, x, weight), weight));
}

TEST_F(Apply, HasTheDerivativeOfTheSmoothFunction) {
  EXPECT_TRUE(at::equal(gradient(Bpda::kSmooth, x, weight), weight * x.cos()));
}

TEST_F(Apply, NeedsNoSmoothFunctionForTheIdentity) {
  test::BpdaContext context(Bpda::kIdentity);

  EXPECT_TRUE(at::equal(context.apply(staircase, x), staircase(x)));
}

TEST_F(Apply, RefusesSmoothWithoutAFunction) {
  test::BpdaContext context(Bpda::kSmooth);

  EXPECT_THROW(context.apply(staircase, x), ParamError);
}

TEST_F(Apply, RefusesADerivativeOfAnotherShape) {
  const Part sum = [](const Tensor& p) { return p.sum(1); };
  test::BpdaContext identity(Bpda::kIdentity);
  test::BpdaContext smooth(Bpda::kSmooth);

  EXPECT_THROW(identity.apply(sum, x), c10::Error);
  EXPECT_THROW(smooth.apply(staircase, x, sum), c10::Error);
}

// A part that changes the shape is fine where the smooth function changes it alike.
TEST_F(Apply, LetsAPartChangeTheShape) {
  const torch::AutoGradMode with_grad(true);
  test::BpdaContext context(Bpda::kSmooth);
  const Tensor input = at::full({2, 3}, 0.3, kDouble).requires_grad_(true);

  const Tensor value = context.apply([](const Tensor& p) { return p.round().sum(1); },
                                     input,
                                     [](const Tensor& p) { return p.square().sum(1); });
  const Tensor slope = torch::autograd::grad({value.sum()}, {input})[0];

  EXPECT_TRUE(at::equal(value, at::zeros({2}, kDouble)));
  EXPECT_TRUE(at::equal(slope, 2 * input));
}

TEST_F(Apply, MakesNoGraphWhereNoneIsAskedFor) {
  const at::NoGradGuard no_grad;
  test::BpdaContext context(Bpda::kIdentity);

  EXPECT_FALSE(context.apply(staircase, x).requires_grad());
}

}  // namespace
}  // namespace unmask::bpda_test
