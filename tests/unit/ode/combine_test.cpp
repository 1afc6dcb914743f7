// combine(): one node of the graph for y + h sum w_i k_i.

#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <gtest/gtest.h>

#include "unmask/errors.hpp"
#include "unmask/solver.hpp"

namespace unmask::test::combine_test {
namespace {

// The same with operations of the library, each differentiable on its own.
Tensor naive(const Tensor& y,
             const Tensor& h,
             const std::vector<double>& w,
             const std::vector<Tensor>& k) {
  Tensor out = y;
  for (std::size_t i = 0; i < k.size(); ++i) out = out + k[i] * (h * w[i]).to(y.scalar_type());
  return out;
}

struct Inputs {
  Tensor y;
  Tensor h;
  std::vector<Tensor> k;
  Tensor upstream;
};

const std::vector<double> kWeights = {0.5, 0.0, -1.25, 2.0};

Inputs make_inputs(at::ScalarType dtype, bool y_needs, bool h_needs, bool k_needs) {
  const auto values = [&](double phase) {
    return torch::sin(torch::arange(24, torch::kDouble) * 0.7 + phase).reshape({2, 3, 4}).to(dtype);
  };
  Inputs in;
  in.y = values(0).requires_grad_(y_needs);
  in.h = torch::full({}, 0.3, torch::kDouble).requires_grad_(h_needs);
  for (int i = 0; i < 4; ++i) in.k.push_back(values(1 + i).requires_grad_(k_needs));
  in.upstream = values(9);
  return in;
}

void expect_naive(at::ScalarType dtype, bool y_needs, bool h_needs, bool k_needs) {
  const Inputs a = make_inputs(dtype, y_needs, h_needs, k_needs);
  const Inputs b = make_inputs(dtype, y_needs, h_needs, k_needs);

  const Tensor actual = combine(a.y, {0.3, h_needs ? a.h : Tensor()}, kWeights, a.k);
  const Tensor expected = naive(b.y, b.h, kWeights, b.k);
  actual.backward(a.upstream);
  expected.backward(b.upstream);

  // At most 24 products of numbers below 2 are summed: 24 * 2 rounding errors.
  const double allowed = 50 * (dtype == at::kDouble ? 2.3e-16 : 1.2e-7);
  EXPECT_TRUE(torch::allclose(actual, expected, allowed, allowed));
  const auto same_gradient = [&](const Tensor& x, const Tensor& y) {
    ASSERT_EQ(x.grad().defined(), y.grad().defined());
    if (x.grad().defined()) {
      EXPECT_TRUE(torch::allclose(x.grad(), y.grad(), allowed, allowed));
    }
  };
  same_gradient(a.y, b.y);
  same_gradient(a.h, b.h);
  same_gradient(a.k[0], b.k[0]);
  same_gradient(a.k[2], b.k[2]);
  same_gradient(a.k[3], b.k[3]);
}

TEST(Combine, EqualsTheNaiveFormulaInFloat64) {
  expect_naive(at::kDouble, true, true, true);
}

TEST(Combine, EqualsTheNaiveFormulaInFloat32) {
  expect_naive(at::kFloat, true, true, true);
}

TEST(Combine, DifferentiatesAnySubsetOfItsInputs) {
  expect_naive(at::kDouble, true, false, false);
  expect_naive(at::kDouble, false, true, false);
  expect_naive(at::kDouble, false, false, true);
  expect_naive(at::kDouble, true, true, false);
  expect_naive(at::kDouble, true, false, true);
  expect_naive(at::kDouble, false, true, true);
}

TEST(Combine, GivesNoGradientToATermOfWeightZero) {
  const Inputs in = make_inputs(at::kDouble, true, true, true);

  combine(in.y, {0.3, in.h}, kWeights, in.k).backward(in.upstream);

  EXPECT_FALSE(in.k[1].grad().defined());
}

TEST(Combine, MakesNoGraphWhenNothingNeedsOne) {
  const Inputs in = make_inputs(at::kDouble, false, false, false);
  EXPECT_FALSE(combine(in.y, {0.3, Tensor()}, kWeights, in.k).requires_grad());

  const Inputs attached = make_inputs(at::kDouble, true, true, true);
  const at::NoGradGuard no_grad;
  EXPECT_FALSE(combine(attached.y, {0.3, attached.h}, kWeights, attached.k).requires_grad());
}

TEST(Combine, IsOneNodeOfTheGraph) {
  const Inputs in = make_inputs(at::kDouble, true, true, true);

  const Tensor out = combine(in.y, {0.3, in.h}, kWeights, in.k);

  ASSERT_NE(out.grad_fn(), nullptr);
  EXPECT_EQ(out.grad_fn()->name(), "CombineBackward");
}

TEST(Combine, LeavesItsArgumentsAlone) {
  const Inputs in = make_inputs(at::kDouble, false, false, false);
  const Tensor before = in.y.clone();

  combine(in.y, {0.3, Tensor()}, kWeights, in.k);

  EXPECT_TRUE(torch::equal(in.y, before));
}

TEST(Combine, TreatsAnUndefinedBaseAsZero) {
  const Inputs in = make_inputs(at::kDouble, false, false, true);

  const Tensor without = combine({}, {0.3, Tensor()}, kWeights, in.k);
  const Tensor with = combine(torch::zeros_like(in.y), {0.3, Tensor()}, kWeights, in.k);

  EXPECT_TRUE(torch::equal(without, with));
}

TEST(Combine, ReadsTensorsOfAnyLayout) {
  const Inputs in = make_inputs(at::kFloat, false, false, false);
  std::vector<Tensor> strided;
  for (const Tensor& k : in.k) strided.push_back(k.transpose(0, 2).contiguous().transpose(0, 2));

  const Tensor dense = combine(in.y, {0.3, Tensor()}, kWeights, in.k);
  const Tensor mixed = combine(in.y, {0.3, Tensor()}, kWeights, strided);

  // Two ways to round the same sum of three products of numbers below 2.
  EXPECT_TRUE(torch::allclose(mixed, dense, 0, 6 * 1.2e-7));
}

TEST(Combine, ReadsMoreElementsThanOneBlock) {
  const Tensor y = torch::arange(10000, torch::kDouble);
  const Tensor k = torch::arange(10000, torch::kDouble) * 2;

  const Tensor out = combine(y, {0.5, Tensor()}, {1.0, 2.0}, {k, y});

  EXPECT_TRUE(torch::equal(out, y * 3));
}

TEST(Combine, GivesSecondDerivativesForAConstantStep) {
  const Tensor y = torch::full({3}, 2.0, torch::kDouble).requires_grad_(true);

  const Tensor out = combine(y, {0.5, Tensor()}, {1.0}, {y.pow(3)}).sum();
  const Tensor first = torch::autograd::grad({out}, {y}, {}, true, true)[0];
  const Tensor second = torch::autograd::grad({first.sum()}, {y})[0];

  // d2/dy2 (y + y^3 / 2) = 3 y, exact in binary for these numbers.
  EXPECT_TRUE(torch::equal(second, torch::full({3}, 6.0, torch::kDouble)));
}

TEST(Combine, RefusesSecondDerivativesThroughTheStep) {
  const Inputs in = make_inputs(at::kDouble, true, true, true);
  const Tensor out = combine(in.y, {0.3, in.h}, kWeights, in.k).sum();

  EXPECT_THROW(torch::autograd::grad({out}, {in.y}, {}, true, true), NumericError);
}

TEST(Combine, RefusesTermsOfAnotherShape) {
  const Tensor y = torch::zeros({2, 3});

  EXPECT_THROW(combine(y, {1.0, Tensor()}, {1.0}, {torch::zeros({3, 2})}), c10::Error);
  EXPECT_THROW(combine(y, {1.0, Tensor()}, {1.0, 2.0}, {y}), c10::Error);
  EXPECT_THROW(combine({}, {1.0, Tensor()}, {0.0}, {y}), c10::Error);
}

}  // namespace
}  // namespace unmask::test::combine_test
