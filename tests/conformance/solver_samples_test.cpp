// Results of every method under control: sample belong to samples and not to batches.

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <gtest/gtest.h>

#include "conformance/solver_problem.hpp"

namespace unmask::test::solver_samples_test {
namespace {

// --- samples

// y' = t - y - 8 y^3, whose stiffness grows with y^2. Products and sums alone, which have the same
// bits wherever an element stands.
FunctionField elementwise() {
  return {false, [](const Scalar& t, const State& y) {
            return State{broadcast(t, y[0]) - y[0] - 8 * y[0] * y[0] * y[0]};
          }};
}

// Alone, together, in another order.
const std::vector<std::vector<std::int64_t>>& splits() {
  static const std::vector<std::vector<std::int64_t>> batches = {
      {4}, {0, 1}, {2, 3, 4, 5}, {5, 3, 1, 0, 2, 4}};
  return batches;
}

// Rows from gentle to stiff.
Tensor unequal_rows() {
  return tensor({0.01,
                 0.02,
                 -0.03,
                 2.0,
                 -1.0,
                 1.5,
                 0.0,
                 0.0,
                 0.0,
                 0.3,
                 -0.25,
                 0.1,
                 0.05,
                 3.0,
                 -0.6,
                 1.0,
                 -0.4,
                 0.02},
                3);
}

class Samples : public SolverConformance {
 protected:
  // Values and gradients of a batch's own readout, row by row.
  struct Rows {
    Tensor values;
    Tensor gradients;
    std::int64_t rejected = 0;
  };

  Rows run(const DriverOptions& o, const Tensor& rows) const {
    FunctionField field = elementwise();
    const Tensor y0 = rows.clone().requires_grad_(true);
    const SolveResult result = solve(o, field, {y0});
    const Tensor weights = torch::arange(1, rows.size(1) + 1, rows.options());
    const auto gradient = torch::autograd::grad({(result.state[0] * weights).sum()}, {y0})[0];
    return {result.state[0].detach(), gradient, result.statistics.rejected};
  }

  Tensor predict(const DriverOptions& o, const Tensor& rows) const {
    const at::NoGradGuard no_grad;
    FunctionField field = elementwise();
    return solve(o, field, {rows}).state[0];
  }

  // What is differentiated of a step sums over the elements of a sample, in an order of its own.
  static double gradient_allowance(const Tensor& rows) {
    return rows.scalar_type() == torch::kFloat ? 1e-3 : 1e-9;
  }

  void expect_rows_apart(const DriverOptions& o,
                         const Tensor& rows,
                         const std::vector<std::vector<std::int64_t>>& batches,
                         const std::string& name) const {
    const Rows whole = run(o, rows);
    const Tensor predictions = predict(o, rows);
    EXPECT_TRUE(torch::isfinite(whole.gradients).all().item<bool>()) << name;
    for (const auto& batch : batches) {
      const Tensor index = torch::tensor(batch, torch::kLong);
      const Rows part = run(o, rows.index_select(0, index));
      const std::string where = name + " batch of " + std::to_string(batch.size()) + " from row " +
                                std::to_string(batch.front());
      EXPECT_TRUE(
          torch::equal(predict(o, rows.index_select(0, index)), predictions.index_select(0, index)))
          << where;
      EXPECT_TRUE(torch::equal(part.values, whole.values.index_select(0, index))) << where;
      EXPECT_LE(relative_deviation(part.gradients, whole.gradients.index_select(0, index)),
                gradient_allowance(rows))
          << where;
    }
  }

  void expect_no_leak(const DriverOptions& o, const Tensor& rows, const std::string& name) const {
    FunctionField field = elementwise();
    const Tensor y0 = rows.clone().requires_grad_(true);
    const Tensor y1 = solve(o, field, {y0}).state[0];
    for (std::int64_t i = 0; i < rows.size(0); ++i) {
      Tensor gradient =
          torch::autograd::grad({y1[i].sum()}, {y0}, {}, /*retain_graph=*/true)[0].clone();
      EXPECT_TRUE(torch::isfinite(gradient).all().item<bool>()) << name << " row " << i;
      gradient[i].zero_();
      EXPECT_EQ(gradient.abs().max().item<double>(), 0) << name << " row " << i;
    }
  }
};

class AdaptiveSamples : public Samples {
 protected:
  using Check = std::function<void(const DriverOptions&, const Tensor&, const std::string&)>;

  static constexpr const char* kExtremeRules[] = {"full", "none"};

  void for_all_options(const Tensor& rows, const Values& more, const Check& check) const {
    for (const char* end : kEnds) {
      for (const char* rule : kExtremeRules) {
        Values values = more;
        values.insert({{"rtol", 1e-3},
                       {"atol", 1e-3},
                       {"control", std::string("sample")},
                       {"end", std::string(end)},
                       {"step_gradient", std::string(rule)}});
        check(options(values),
              rows,
              std::string(end) + " " + rule +
                  (rows.scalar_type() == torch::kFloat ? " float32" : " float64"));
      }
    }
  }

  // The third row overflows in the second stage of the first step.
  static Tensor overflowing_rows() {
    Tensor rows = unequal_rows();
    rows[2][0] = 3e4;
    return rows.to(torch::kFloat);
  }
};

class FixedSamples : public Samples {};

TEST_P(AdaptiveSamples, DoNotDependOnTheirBatch) {
  for (const auto type : {torch::kDouble, torch::kFloat}) {
    for_all_options(
        unequal_rows().to(type), {}, [&](const auto& o, const Tensor& rows, const auto& name) {
          expect_rows_apart(o, rows, splits(), name);
        });
  }
}

TEST_P(AdaptiveSamples, DoNotDependOnTheirBatchAfterRejectedAttempts) {
  for (const auto type : {torch::kDouble, torch::kFloat}) {
    for_all_options(unequal_rows().to(type),
                    {{"first_step", 0.5}},
                    [&](const auto& o, const Tensor& rows, const auto& name) {
                      EXPECT_GT(run(o, rows).rejected, 0) << name;
                      expect_rows_apart(o, rows, splits(), name);
                    });
  }
}

TEST_P(AdaptiveSamples, DoNotDependOnBatchMatesThatOverflow) {
  for_all_options(overflowing_rows(),
                  {{"first_step", 0.5}},
                  [&](const auto& o, const Tensor& rows, const auto& name) {
                    EXPECT_GT(run(o, rows).rejected, 0) << name;
                    expect_rows_apart(o, rows, {{0}, {2}, {4, 2, 1}}, name);
                  });
}

TEST_P(AdaptiveSamples, DoNotDependOnTheirBatchWhenTheyAreLarge) {
  // Sums over a sample are longer than any vector register or block.
  const Tensor i = torch::arange(3 * 3000, torch::kFloat);
  const Tensor rows = torch::sin(i * 0.37).reshape({3, 3000}) *
                      torch::tensor({1.0, 0.1, 3.0}, torch::kFloat).reshape({3, 1});
  for_all_options(rows, {}, [&](const auto& o, const Tensor& same, const auto& name) {
    expect_rows_apart(o, same, {{0}, {2, 1}}, name);
  });
}

TEST_P(AdaptiveSamples, HaveTheSameValuesWithAndWithoutGraph) {
  for (const auto type : {torch::kDouble, torch::kFloat}) {
    for (const char* control : kControls) {
      const Values values = {{"control", std::string(control)}};
      for_all_options(unequal_rows().to(type),
                      values,
                      [&](DriverOptions o, const Tensor& rows, const std::string& name) {
                        const Tensor predictions = predict(o, rows);
                        EXPECT_TRUE(torch::equal(run(o, rows).values, predictions))
                            << control << " " << name;
                        o.gradient = ode::GradientMode::kCheckpoint;
                        EXPECT_TRUE(torch::equal(run(o, rows).values, predictions))
                            << control << " " << name << " checkpoint";
                      });
    }
  }
}

TEST_P(AdaptiveSamples, LeakNoGradient) {
  for (const auto type : {torch::kDouble, torch::kFloat}) {
    for (const bool is_first_given : {false, true}) {
      for_all_options(unequal_rows().to(type),
                      is_first_given ? Values{{"first_step", 0.5}} : Values{},
                      [&](const auto& o, const Tensor& rows, const auto& name) {
                        expect_no_leak(o, rows, name);
                      });
    }
  }
}

TEST_P(AdaptiveSamples, LeakNoGradientFromWhatOverflows) {
  for_all_options(
      overflowing_rows(),
      {{"first_step", 0.5}},
      [&](const auto& o, const Tensor& rows, const auto& name) { expect_no_leak(o, rows, name); });
}

TEST_P(FixedSamples, DoNotDependOnTheirBatch) {
  for (const auto type : {torch::kDouble, torch::kFloat}) {
    // The stiffest row changes at a rate of 23 at first.
    const DriverOptions o = options({{"step_size", 1.0 / 64}});
    const Tensor rows = (unequal_rows() * 0.32).to(type);
    expect_rows_apart(o, rows, splits(), "");
    expect_no_leak(o, rows, "");
  }
}

// --- for every method

INSTANTIATE_TEST_SUITE_P(Plugin, AdaptiveSamples, methods(Which::kAdaptive), id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, FixedSamples, methods(Which::kFixed), id_of);

}  // namespace
}  // namespace unmask::test::solver_samples_test
