#include "engine/mixed_precision.hpp"

#include <torch/types.h>

#include <gtest/gtest.h>

#include "unit/engine/tiny_model.hpp"

namespace unmask::engine::mixed_precision_test {
namespace {

// y' = y, computed in bfloat16.
class CoarseField final : public VectorField {
 public:
  State evaluate(const Scalar&, const State& y) override {
    seen = y[0].scalar_type();
    return {y[0].to(torch::kBFloat16)};
  }
  at::ScalarType seen = at::kHalf;
};

TEST(MixedPrecision, SolvesInFloat32WhatAFieldComputesInBfloat16) {
  const SolverSetup solver = make_setup(/*is_adaptive=*/false);
  ode::Session session(solver.method, solver.options);
  FullPrecisionStates states(session);
  const auto field = std::make_shared<CoarseField>();

  const State y = states.integrate("block", field, {torch::ones({1, 2}, torch::kBFloat16)}, 0, 1);

  EXPECT_EQ(field->seen, torch::kFloat);
  EXPECT_TRUE(torch::equal(y[0], torch::full({1, 2}, 2.0f))) << "one step of Euler";
}

TEST(MixedPrecision, OffLeavesAutocastAlone) {
  const Autocast autocast(false);

  const Tensor product = torch::ones({2, 2}).matmul(torch::ones({2, 2}));

  EXPECT_EQ(product.scalar_type(), torch::kFloat);
}

TEST(MixedPrecision, CoversProductsOnCudaOnly) {
  Tensor product;
  {
    const Autocast autocast(true);
    product = torch::ones({2, 2}).matmul(torch::ones({2, 2}));
  }

  EXPECT_EQ(product.scalar_type(), torch::kFloat) << "on the CPU nothing changes";
}

}  // namespace
}  // namespace unmask::engine::mixed_precision_test
