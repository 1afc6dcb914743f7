// Gradients that are computed again or solved backwards: what they keep, count, find and refuse.
// That they are the right numbers is checked for every method in tests/conformance.

#include <memory>
#include <string>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ode/driver.hpp"
#include "ode/recompute.hpp"
#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::test::gradient_modes_test {
namespace {

using namespace unmask::ode;
using testing::HasSubstr;

std::unique_ptr<Method> method(const std::string& id) {
  return test::make_plugin<Method>("solver", id);
}

DriverOptions with(GradientMode mode) {
  DriverOptions o;
  o.is_adaptive = true;
  o.rtol = 1e-3;
  o.atol = 1e-3;
  o.gradient = mode;
  o.step_gradient = StepGradient::kNone;
  return o;
}

const std::vector<GradientMode> kIndirect = {GradientMode::kCheckpoint,
                                             GradientMode::kAdjoint,
                                             GradientMode::kInterpolated,
                                             GradientMode::kReplay};

Tensor start() {
  return torch::tensor({{1.0, 0.5}, {-0.3, 0.8}}, torch::kDouble).requires_grad_(true);
}

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing thrown";
}

TEST(Captures, AreFoundInTheGraph) {
  const Tensor weight = torch::full({}, 2.0, torch::kDouble).requires_grad_(true);
  const Tensor other = torch::full({}, 3.0, torch::kDouble).requires_grad_(true);
  const Tensor derived = other.exp();  // made before the solve: the place is here, not at `other`
  test::FunctionField field(true, [&](const Scalar&, const State& y) {
    return State{-(weight * y[0]).tanh() * derived};
  });

  const FieldProbe probe = probe_field(field, {0, Tensor()}, {start()});

  ASSERT_EQ(probe.captures.edges.size(), 2U);
  for (const auto& edge : probe.captures.edges) {
    EXPECT_TRUE(edge.function == torch::autograd::impl::gradient_edge(weight).function ||
                edge.function == derived.grad_fn());
  }
  EXPECT_FALSE(probe.value[0].requires_grad());
}

TEST(Captures, DoNotHoldTheStateOrFrozenParameters) {
  const Tensor frozen = torch::full({}, 2.0, torch::kDouble);
  test::FunctionField field(true,
                            [&](const Scalar&, const State& y) { return State{-frozen * y[0]}; });

  EXPECT_TRUE(probe_field(field, {0, Tensor()}, {start()}).captures.edges.empty());
}

// Parameters, a tensor computed from one before the solve, and one computed from the state's own
// origin: every mode passes gradients to all of them.
TEST(GradientModes, ReachEverythingThatTheFieldCaptures) {
  const auto m = method("dopri5");
  const auto gradients = [&](GradientMode mode) {
    const Tensor x = start();
    const Tensor weight = torch::full({}, 0.7, torch::kDouble).requires_grad_(true);
    const Tensor gain = weight.exp();
    const Tensor shift = x.sum(1, true) * 0.1;
    test::FunctionField field(true, [&](const Scalar&, const State& y) {
      return State{(gain * y[0] + shift).tanh() - weight * y[0]};
    });
    DriverOptions options = with(mode);
    options.rtol = options.atol = 1e-9;
    const Tensor end = solve(*m, options, field, {x * 2}, {0, 1}).state[0];
    return torch::autograd::grad({end.square().sum()}, {x, weight});
  };
  const auto direct = gradients(GradientMode::kDirect);
  for (const GradientMode mode : kIndirect) {
    const auto other = gradients(mode);
    for (std::size_t i = 0; i < direct.size(); ++i) {
      // At tolerance 1e-9 the adjoints agree with the map's gradient to some 1e-7; cubic
      // interpolation between steps of a tenth costs the interpolated one its fourth power.
      const double allowed = mode == GradientMode::kInterpolated ? 1e-4 : 1e-6;
      EXPECT_TRUE(torch::allclose(other[i], direct[i], allowed, allowed))
          << static_cast<int>(mode) << " " << other[i] << direct[i];
    }
  }
}

TEST(GradientModes, KeepNoGraphOfTheSteps) {
  for (const GradientMode mode : kIndirect) {
    std::vector<std::weak_ptr<torch::autograd::Node>> nodes;
    const Tensor weight = torch::full({}, 2.0, torch::kDouble).requires_grad_(true);
    test::FunctionField field(true, [&](const Scalar&, const State& y) {
      const Tensor out = -weight * y[0];
      if (out.grad_fn()) nodes.push_back(out.grad_fn());
      return State{out};
    });
    const auto m = method("dopri5");

    const SolveResult result = solve(*m, with(mode), field, {start()}, {0, 1});

    ASSERT_TRUE(result.state[0].requires_grad());
    for (const auto& node : nodes) EXPECT_TRUE(node.expired()) << static_cast<int>(mode);
  }
}

TEST(GradientModes, CountWhatTheBackwardPassEvaluates) {
  const auto m = method("dopri5");
  for (const GradientMode mode : kIndirect) {
    auto field = test::oscillator(3);
    const Tensor y0 = start();
    const SolveResult result = solve(*m, with(mode), field, {y0}, {0, 1});
    EXPECT_EQ(result.backward->nfe, 0);
    const std::int64_t forward = result.statistics.nfe;

    torch::autograd::grad({result.state[0].sum()}, {y0});

    EXPECT_EQ(result.statistics.nfe, forward);
    if (mode == GradientMode::kCheckpoint) {
      // f0 and the six stages of every accepted step; the probe of the first step has no gradient.
      EXPECT_EQ(result.backward->nfe, 1 + 6 * result.statistics.accepted);
    } else {
      EXPECT_GE(result.backward->nfe, 7);
    }
  }
  auto field = test::oscillator(3);
  const Tensor y0 = start();
  const SolveResult direct = solve(*m, with(GradientMode::kDirect), field, {y0}, {0, 1});
  torch::autograd::grad({direct.state[0].sum()}, {y0});
  EXPECT_EQ(direct.backward->nfe, 0);
}

TEST(GradientModes, KeepMethodAndFieldAlive) {
  for (const GradientMode mode : kIndirect) {
    std::shared_ptr<Method> m = method("dopri5");
    auto field = std::make_shared<test::FunctionField>(
        true, [](const Scalar&, const State& y) { return State{-y[0].tanh()}; });
    const std::weak_ptr<VectorField> watch = field;
    const Tensor y0 = start();
    Tensor end = solve(m, with(mode), std::shared_ptr<VectorField>(field), {y0}, {0, 1}).state[0];
    m.reset();
    field.reset();

    EXPECT_FALSE(watch.expired());
    EXPECT_TRUE(torch::autograd::grad({end.sum()}, {y0})[0].isfinite().all().item<bool>());
    end = Tensor();
    EXPECT_TRUE(watch.expired()) << "the graph is gone, the field is not";
  }
}

TEST(GradientModes, RefuseSecondDerivatives) {
  const auto m = method("dopri5");
  for (const GradientMode mode : kIndirect) {
    auto field = test::decay();
    const Tensor y0 = start();
    const Tensor end = solve(*m, with(mode), field, {y0}, {0, 1}).state[0];

    EXPECT_THAT(message_of([&] {
                  torch::autograd::grad({end.sum()}, {y0}, {}, true, /*create_graph=*/true);
                }),
                HasSubstr("second derivatives"));
  }
}

TEST(GradientModes, MakeNoGraphWhereNothingNeedsOne) {
  const auto m = method("dopri5");
  for (const GradientMode mode : kIndirect) {
    auto field = test::decay();
    EXPECT_FALSE(solve(*m, with(mode), field, {start().detach()}, {0, 1}).state[0].requires_grad());
  }
}

TEST(Adjoint, NoticesThatItsStateWasChanged) {
  const auto m = method("dopri5");
  auto field = test::decay();
  const Tensor y0 = start();
  Tensor end = solve(*m, with(GradientMode::kAdjoint), field, {y0}, {0, 1}).state[0];
  end.mul_(2);

  EXPECT_THAT(message_of([&] { torch::autograd::grad({end.sum()}, {y0}); }),
              HasSubstr("changed in place"));
}

TEST(Adjoint, SaysHowItsBackwardSolveFailed) {
  const auto m = method("dopri5");
  auto field = test::decay();
  DriverOptions options = with(GradientMode::kAdjoint);
  options.adjoint_rtol = options.adjoint_atol = 1e-12;
  options.max_attempts = 8;
  const Tensor y0 = start();
  const Tensor end = solve(*m, options, field, {y0}, {0, 1}).state[0];

  EXPECT_THAT(message_of([&] { torch::autograd::grad({end.sum()}, {y0}); }),
              HasSubstr("the adjoint solve ended with max_attempts"));
}

TEST(Adjoint, UnderSampleControlRefusesTrainableParameters) {
  const auto m = method("dopri5");
  const Tensor weight = torch::full({}, 2.0, torch::kDouble).requires_grad_(true);
  test::FunctionField field(true,
                            [&](const Scalar&, const State& y) { return State{-weight * y[0]}; });
  DriverOptions options = with(GradientMode::kAdjoint);
  options.control = Control::kSample;

  EXPECT_THAT(message_of([&] {
                solve(*m, options, field, {start()}, {0, 1});
              }),
              HasSubstr("under control: sample has no gradients"));
}

TEST(Adjoint, WithSeminormNeedsNoMoreStepsForParameters) {
  const auto m = method("dopri5");
  const auto backward_nfe = [&](bool seminorm, bool trains) {
    const Tensor weight = torch::full({1, 2}, 40.0, torch::kDouble).requires_grad_(trains);
    test::FunctionField field(
        true, [&](const Scalar&, const State& y) { return State{(weight * y[0]).sin()}; });
    DriverOptions options = with(GradientMode::kAdjoint);
    options.seminorm = seminorm;
    const Tensor y0 = start();
    const SolveResult result = solve(*m, options, field, {y0}, {0, 1});
    result.state[0].sum().backward();
    return result.backward->nfe;
  };
  EXPECT_EQ(backward_nfe(true, true), backward_nfe(true, false));
  EXPECT_LE(backward_nfe(true, true), backward_nfe(false, true));
}

TEST(GradientModes, OfFixedStepsAgree) {
  const auto m = method("rk4");
  const auto gradient = [&](GradientMode mode, double step_size) {
    auto field = test::small_mlp();
    DriverOptions options;
    options.step_size = step_size;
    options.gradient = mode;
    const Tensor y0 =
        torch::tensor({{0.5, -0.2, 1.0}, {-1.0, 0.7, 0.1}}, torch::kDouble).requires_grad_(true);
    const Tensor end = solve(*m, options, field, {y0}, {0, 0.5, 1}).state[0];
    return torch::autograd::grad({end.square().sum()}, {y0})[0];
  };
  EXPECT_TRUE(torch::equal(gradient(GradientMode::kCheckpoint, 0.25),
                           gradient(GradientMode::kDirect, 0.25)));
  // Fourth order: errors of 0.02^4 with constants of some hundred.
  const Tensor exact = gradient(GradientMode::kDirect, 0.005);
  EXPECT_TRUE(torch::allclose(gradient(GradientMode::kAdjoint, 0.02), exact, 1e-4, 1e-4));
  EXPECT_TRUE(torch::allclose(gradient(GradientMode::kInterpolated, 0.02), exact, 1e-4, 1e-4));
}

}  // namespace
}  // namespace unmask::test::gradient_modes_test
