#include "engine/outputs.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "tiny_model.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::outputs_test {
namespace {

// Answers with a function of the flattened images.
class FunctionModel final : public Model {
 public:
  explicit FunctionModel(std::function<Tensor(const Tensor&)> function)
      : function_(std::move(function)) {}
  Tensor forward(const Tensor& x, OdeContext&) override { return function_(x.flatten(1)); }
  std::vector<NamedTensor> parameters() override { return {}; }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool) override {}
  void to(const std::string&, at::ScalarType) override {}

 private:
  std::function<Tensor(const Tensor&)> function_;
};

double metric(const wire::CellResult& result, const std::string& name) {
  for (const wire::Metric& item : result.metrics) {
    if (item.name == name) return item.value;
  }
  ADD_FAILURE() << "no metric " << name;
  return -1;
}

wire::CellResult describe(const std::function<Tensor(const Tensor&)>& function) {
  FunctionModel model(function);
  wire::CellResult result;
  describe_outputs(model, make_setup(false), four_samples().images, 2, result);
  return result;
}

TEST(Outputs, OfASoftmaxAreProbabilities) {
  EXPECT_TRUE(
      are_probabilities(torch::tensor({{3.0f, -2.0f, 60.0f}, {0.0f, 1.0f, 2.0f}}).softmax(1)));
}

TEST(Outputs, OfAThousandClassesInHalfPrecisionAreProbabilities) {
  // 1000 roundings to 11 bits of values near 1e-3 add up to at most 1000 * 1e-3 * 2^-12 = 2.5e-4.
  const Tensor logits = at::linspace(-1, 1, 4000).view({4, 1000});
  EXPECT_TRUE(are_probabilities(logits.softmax(1).to(at::kHalf)));
}

TEST(Outputs, ThatDoNotSumToOneAreNone) {
  EXPECT_FALSE(are_probabilities(torch::tensor({{0.5f, 0.4f}, {0.5f, 0.5f}})));
}

TEST(Outputs, BelowZeroAreNone) {
  EXPECT_FALSE(are_probabilities(torch::tensor({{1.5f, -0.5f}})));
}

TEST(Outputs, OfALogarithmicSoftmaxAreNone) {
  EXPECT_FALSE(are_probabilities(torch::tensor({{3.0f, -2.0f}}).log_softmax(1)));
}

TEST(Outputs, AreDescribedByTheirRangeAndKind) {
  const wire::CellResult logits = describe([](const Tensor& x) { return 10 * x - 5; });
  const wire::CellResult probabilities = describe([](const Tensor& x) { return x.softmax(1); });

  // The pixels go from 0.2 to 0.8.
  EXPECT_NEAR(metric(logits, "output_min"), -3, 1e-6);
  EXPECT_NEAR(metric(logits, "output_max"), 3, 1e-6);
  EXPECT_EQ(metric(logits, "output_is_probability"), 0);
  EXPECT_EQ(metric(probabilities, "output_is_probability"), 1);
}

TEST(Outputs, OfAnotherNumberOfClassesAreRefused) {
  EXPECT_THROW(describe([](const Tensor& x) { return at::cat({x, x}, 1); }), c10::Error);
}

TEST(Outputs, ThatArePredictedClassesAreRefused) {
  EXPECT_THROW(describe([](const Tensor& x) { return x.to(at::kLong); }), c10::Error);
}

TEST(Outputs, AreUnknownWhenTheSolverGivesUp) {
  const wire::CellResult result =
      describe([](const Tensor&) -> Tensor { throw NumericError("too many steps"); });

  EXPECT_TRUE(std::isnan(metric(result, "output_is_probability")));
}

}  // namespace
}  // namespace unmask::engine::outputs_test
