// The stability theorem of SONet, as far as it can be checked: the linear core of a stabilised
// block,
//
//   y' = conv(z; K)      z' = -convT(y; K)      or   s' = A s,  A = [[0, C], [-C^T, 0]],
//
// is skew-symmetric, so its flow is a rotation and keeps ||s||. With C = U diag(w) V^T, the pair
// (u_k . y, v_k . z) turns with the speed w_k, and c_k = u_k . y + i v_k . z obeys c_k' = -i w_k
// c_k. A one-step method multiplies c_k by R(-i w_k h) in a step of size h, R its stability
// function, so that ||s||^2 after n steps is the sum of |R(i w_k h)|^2n |c_k|^2, plus what lies in
// the kernel of A.

#include <algorithm>
#include <cmath>
#include <complex>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include "engine/mixed_precision.hpp"
#include "ode/driver.hpp"
#include "ode/session.hpp"
#include "plugins/models/sonet/skew_classifier.hpp"
#include "support/plugins.hpp"
#include "unmask/kit/model/skew_block.hpp"

namespace unmask::test::stability_test {
namespace {

using Complex = std::complex<double>;
using Stability = std::function<Complex(Complex)>;

// --- the linear core, with the convolutions of the plugins

struct Core {
  const char* name;
  std::int64_t in;
  std::int64_t out;
  std::int64_t stride;
  std::int64_t height;
  std::int64_t width;
};

// Every form of the adjoint, and an odd image that a stride of 2 does not divide.
const std::vector<Core>& cores() {
  static const std::vector<Core> all = {{"stem", 3, 5, 1, 6, 5},
                                        {"many_channels", 8, 4, 1, 4, 4},
                                        {"halving", 2, 4, 2, 6, 8},
                                        {"halving_odd", 2, 3, 2, 7, 5}};
  return all;
}

void PrintTo(const Core& core, std::ostream* out) {
  *out << core.name;
}

class LinearCore : public testing::TestWithParam<Core> {
 protected:
  void SetUp() override {
    torch::manual_seed(3);
    const Core& core = GetParam();
    const std::int64_t size = core.stride == 1 ? 3 : 4;
    const Tensor kernel =
        torch::randn({core.out, core.in, size, size}, at::kDouble) / std::sqrt(9.0 * 3);
    const kit::SkewShape shape{core.stride, {1, core.in, core.height, core.width}};
    const kit::SkewConvolution forward(kernel, shape);
    const kit::SkewConvolution minus(kernel.neg(), shape);
    z_ = torch::zeros({1, core.in, core.height, core.width}, at::kDouble);
    y_ = torch::zeros_like(forward.forward(z_));
    field_ = kit::autonomous_field([=](const State& s) {
      return State{forward.forward(s[1]), minus.adjoint(s[0])};
    });
  }

  // A, one column per element of (y, z): the field of the unit vectors, one per row of a batch.
  Tensor matrix() const {
    const std::int64_t n = y_.numel() + z_.numel();
    const Tensor units = torch::eye(n, at::kDouble);
    return join(field_->evaluate(Scalar{}, split(units))).t().contiguous();
  }

  // C, the block of A that takes z to y'.
  Tensor coupling() const {
    return matrix().narrow(0, 0, y_.numel()).narrow(1, y_.numel(), z_.numel());
  }

  State split(const Tensor& rows) const {
    const auto part = [&](std::int64_t from, const Tensor& like) {
      std::vector<std::int64_t> shape = like.sizes().vec();
      shape[0] = rows.size(0);
      return rows.narrow(1, from, like.numel()).reshape(shape);
    };
    return {part(0, y_), part(y_.numel(), z_)};
  }

  static Tensor join(const State& state) {
    return at::cat({state[0].flatten(1), state[1].flatten(1)}, 1);
  }

  Tensor y_;
  Tensor z_;
  std::shared_ptr<VectorField> field_;
};

INSTANTIATE_TEST_SUITE_P(Stability,
                         LinearCore,
                         testing::ValuesIn(cores()),
                         [](const auto& test_info) { return std::string(test_info.param.name); });

// Gradients of both maps, trained in mixed precision. Two maps forward and two back round argument,
// kernel and result to 8 bits each, 2^-9 of the number: 12 times that, and twice as much where sums
// cancel. A gradient that is wrong is off by its own size.
TEST(Gpu, DifferentiatesTheCoreInMixedPrecision) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "LibTorch sees no CUDA device";
  for (const Core& core : cores()) {
    torch::manual_seed(4);
    const std::int64_t size = core.stride == 1 ? 3 : 4;
    const auto on_device = at::TensorOptions().device(at::kCUDA).dtype(at::kFloat);
    const Tensor kernel = torch::randn({core.out, core.in, size, size}, on_device);
    const kit::SkewShape shape{core.stride, {2, core.in, core.height, core.width}};
    const Tensor z = torch::randn({2, core.in, core.height, core.width}, on_device);
    const auto gradients = [&](bool is_mixed) {
      const Tensor weight = kernel.detach().clone().requires_grad_();
      const Tensor start = z.detach().clone().requires_grad_();
      Tensor end;
      {
        const engine::Autocast autocast(is_mixed);
        const kit::SkewConvolution map(weight, shape);
        end = map.adjoint(map.forward(start));
      }
      return torch::autograd::grad({end.to(at::kFloat).square().sum()}, {start, weight});
    };
    const auto full = gradients(false);
    const auto mixed = gradients(true);
    for (std::size_t i = 0; i < full.size(); ++i) {
      EXPECT_EQ(mixed[i].scalar_type(), at::kFloat) << core.name;
      const double distance = ((mixed[i] - full[i]).norm() / full[i].norm()).item<double>();
      EXPECT_LE(distance, 2 * 12 * std::pow(2.0, -9)) << core.name << " " << i;
      EXPECT_GT(distance, 0) << core.name << ": nothing was computed in bfloat16";
    }
  }
}

TEST_P(LinearCore, IsSkewSymmetric) {
  const Tensor a = matrix();

  // Every entry is one entry of the kernel, with a sign, or 0: no sums, no rounding.
  EXPECT_EQ((a + a.t()).abs().max().item<double>(), 0);
  EXPECT_GT(a.abs().max().item<double>(), 0.1);
}

TEST_P(LinearCore, KeepsTheNormUnderItsExactFlow) {
  const Tensor s = torch::randn({y_.numel() + z_.numel()}, at::kDouble);

  const Tensor end = torch::matrix_exp(matrix()).matmul(s);

  // ||A|| is about 2, so the exponential is accurate to some hundred roundings.
  EXPECT_NEAR((end.norm() / s.norm()).item<double>(), 1, 1e-13);
  EXPECT_GT(((end - s).norm() / s.norm()).item<double>(), 0.3) << "nothing moved";
}

// --- stability functions

double factorial(int n) {
  return std::tgamma(n + 1.0);
}

// An explicit method of order p gives 1 + z + ... + z^p / p! and then its own terms: with p stages
// none, with more stages the sums b_i a_ij a_jk ... over chains of stages.
Stability polynomial(int order, const std::map<int, double>& more = {}) {
  return [=](Complex z) {
    Complex sum = 0;
    for (int k = 0; k <= order; ++k) sum += std::pow(z, k) / factorial(k);
    for (const auto& [power, coefficient] : more) sum += coefficient * std::pow(z, power);
    return sum;
  };
}

// Methods whose function is known in closed form.
const std::map<std::string, Stability>& stability_functions() {
  static const std::map<std::string, Stability> functions = [] {
    const double gamma = 1 - std::sqrt(0.5);
    std::map<std::string, Stability> all;
    all["euler"] = polynomial(1);     // |R(iw)|^2 = 1 + w^2
    all["midpoint"] = polynomial(2);  // 1 + w^4 / 4
    all["heun2"] = polynomial(2);
    all["adaptive_heun"] = polynomial(2);
    all["heun3"] = polynomial(3);  // 1 - w^4 / 12 + w^6 / 36
    all["bosh3"] = polynomial(3);
    all["rk4"] = polynomial(4);  // 1 - w^6 / 72 + w^8 / 576
    all["rk4_classic"] = polynomial(4);
    // Three stages, order 2: b_3 a_32 a_21 = 1/512 * 255/256 * 1/2.
    all["fehlberg2"] = polynomial(2, {{3, 1.0 / 512 * 255.0 / 256 / 2}});
    // Six stages, order 5: b_6 a_65 a_54 a_43 a_32 a_21 = 11/84 * -5103/18656 * -212/729 * 32/9 *
    // 9/40 * 1/5 = 1/600.
    all["dopri5"] = polynomial(5, {{6, 1.0 / 600}});
    // y1 = y0 + h f((y0 + y1) / 2): |R(iw)| = 1.
    all["implicit_midpoint"] = [](Complex z) { return (1.0 + z / 2.0) / (1.0 - z / 2.0); };
    // k1 = f(y0 + h g k1), k2 = f(y0 + h (1 - g) k1 + h g k2) = y1', g = 1 - 1/sqrt 2.
    all["sdirk2"] = [gamma](Complex z) {
      const Complex d = 1.0 - gamma * z;
      return (1.0 + (1 - 2 * gamma) * z) / (d * d);
    };
    return all;
  }();
  return functions;
}

// n equal steps over 0 <= t <= 1, each starting with f there.
ode::DriverOptions equal_steps(const Method& method, int n) {
  ode::DriverOptions options;
  options.is_adaptive = method.traits().is_adaptive;
  if (options.is_adaptive) {
    options.controller = ode::ControllerKind::kConstant;
    options.first_step = 1.0 / n;
    options.end = ode::EndRule::kClamp;
    options.stale_fsal = false;
  } else {
    options.step_size = 1.0 / n;
  }
  return options;
}

State solve(Method& method, VectorField& field, const State& start, int n) {
  const auto result = ode::solve(method, equal_steps(method, n), field, start, {0, 1});
  if (result.status != ode::SolveStatus::kOk) throw std::runtime_error(result.failure);
  return result.state;
}

// Implicit methods solve their equations to about this; the others round.
double allowance(const Method& method) {
  return method.traits().is_implicit ? 1e-8 : 1e-12;
}

TEST_P(LinearCore, GrowsUnderEverySolverByItsKnownGain) {
  const auto [u, w, vt] = at::linalg_svd(coupling(), /*full_matrices=*/false);
  const Tensor s = torch::randn({1, y_.numel() + z_.numel()}, at::kDouble);
  const Tensor a = s[0].narrow(0, 0, y_.numel());
  const Tensor b = s[0].narrow(0, y_.numel(), z_.numel());
  const Tensor parts = u.t().matmul(a).square() + vt.matmul(b).square();  // |c_k|^2
  const double still = (s.square().sum() - parts.sum()).item<double>();
  for (const auto& [id, r] : stability_functions()) {
    ASSERT_TRUE(has_plugin("solver", id)) << id;
    const auto method = make_plugin<Method>("solver", id);
    for (const int n : {1, 4}) {
      SCOPED_TRACE(id + ", " + std::to_string(n) + " steps");
      double expected = still;
      for (std::int64_t k = 0; k < w.size(0); ++k) {
        const double gain = std::abs(r(Complex(0, w[k].item<double>() / n)));
        expected += std::pow(gain, 2 * n) * parts[k].item<double>();
      }

      const Tensor end = join(solve(*method, *field_, split(s), n));

      EXPECT_NEAR(end.square().sum().item<double>() / expected, 1, allowance(*method));
    }
  }
}

TEST_P(LinearCore, GrowsMostAlongTheFastestPair) {
  const auto [u, w, vt] = at::linalg_svd(coupling(), /*full_matrices=*/false);
  const Tensor start =
      at::cat({u.select(1, 0), torch::zeros({z_.numel()}, at::kDouble)}).unsqueeze(0);
  const double speed = w[0].item<double>();
  for (const auto& [id, r] : stability_functions()) {
    const auto method = make_plugin<Method>("solver", id);

    const Tensor end = join(solve(*method, *field_, split(start), 1));

    EXPECT_NEAR(end.norm().item<double>(), std::abs(r(Complex(0, speed))), 2 * allowance(*method))
        << id;
  }
}

// Every other linear method, multistep ones too: what it does to a pair that turns with the speed w
// is what it does to the core's pairs of that speed.
std::vector<std::string> other_solvers() {
  std::vector<std::string> ids;
  const auto folder = plugin_file("solver", "x").parent_path();
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() != ".so" || !stem.starts_with("solver_")) continue;
    const std::string id = stem.substr(7);
    const auto specs = plugin_descriptor("solver", id).info().params;
    const bool needs_parameters = std::any_of(
        specs.begin(), specs.end(), [](const ParamSpec& spec) { return spec.is_required(); });
    if (!needs_parameters && !stability_functions().contains(id)) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

TEST_P(LinearCore, GrowsUnderOtherSolversAsAPairOfNumbersDoes) {
  const auto [u, w, vt] = at::linalg_svd(coupling(), /*full_matrices=*/false);
  const Tensor s = torch::randn({1, y_.numel() + z_.numel()}, at::kDouble);
  const Tensor a = s[0].narrow(0, 0, y_.numel());
  const Tensor b = s[0].narrow(0, y_.numel(), z_.numel());
  const Tensor parts = u.t().matmul(a).square() + vt.matmul(b).square();
  const double still = (s.square().sum() - parts.sum()).item<double>();
  // One pair per speed, each a row of its own.
  const Tensor speeds = w.unsqueeze(1);
  const auto pairs = kit::autonomous_field([speeds](const State& y) {
    return State{speeds * y[1], -speeds * y[0]};
  });
  constexpr int kSteps = 8;
  for (const std::string& id : other_solvers()) {
    const auto method = make_plugin<Method>("solver", id);
    const State turned =
        solve(*method, *pairs, {torch::ones_like(speeds), torch::zeros_like(speeds)}, kSteps);
    const Tensor gains = (turned[0].square() + turned[1].square()).select(1, 0);
    const double expected = still + gains.dot(parts).item<double>();

    const Tensor end = join(solve(*method, *field_, split(s), kSteps));

    // An implicit method iterates until a state is settled, and a state of all pairs settles
    // otherwise than one pair does; what is left is below 1e-5 of it at its default tolerance.
    const double room = method->traits().is_implicit ? 1e-5 : 1e-12;
    EXPECT_NEAR(end.square().sum().item<double>() / expected, 1, room) << id;
  }
}

// --- the classifier, with leaky ReLU made the identity and no bias

class LinearClassifier : public testing::TestWithParam<double> {
 protected:
  static constexpr std::int64_t kFeatures = 12;
  static constexpr std::int64_t kClasses = 5;

  void SetUp() override {
    torch::manual_seed(5);
    function_ = std::make_shared<kit::SkewClassifier>(
        kFeatures, kClasses, kit::SkewOptions{.damping = GetParam(), .slope = 1});
    function_->to(at::kDouble);
    const at::NoGradGuard no_grad;
    function_->named_parameters()["bias"].zero_();
    features_ = torch::randn({1, kFeatures}, at::kDouble);
  }

  Tensor matrix() const {
    const Tensor units = torch::eye(kFeatures + kClasses, at::kDouble);
    return function_->field(features_)->evaluate(Scalar{}, {units})[0].detach().t().contiguous();
  }

  std::shared_ptr<kit::SkewClassifier> function_;
  Tensor features_;
};

INSTANTIATE_TEST_SUITE_P(Stability, LinearClassifier, testing::Values(0.0, 0.4));

TEST_P(LinearClassifier, LosesWhatTheDampingTakesAndNothingElse) {
  const Tensor start = function_->start(features_)[0];

  const Tensor end = torch::matrix_exp(matrix()).matmul(start[0]);

  // s' = (A - g) s: ||s(1)|| = exp(-g) ||s(0)||.
  EXPECT_NEAR((end.norm() / start.norm()).item<double>(), std::exp(-GetParam()), 1e-13);
}

TEST_P(LinearClassifier, GrowsUnderEverySolverByItsKnownGain) {
  const at::NoGradGuard no_grad;
  const Tensor start = function_->start(features_)[0];
  const Tensor weight = function_->named_parameters()["weight"];
  const auto [u, w, vt] = at::linalg_svd(weight, /*full_matrices=*/false);
  const Tensor parts = u.t().matmul(start[0].narrow(0, 0, kFeatures)).square() +
                       vt.matmul(start[0].narrow(0, kFeatures, kClasses)).square();
  const double still = (start.square().sum() - parts.sum()).item<double>();
  for (const auto& [id, r] : stability_functions()) {
    const auto method = make_plugin<Method>("solver", id);
    double expected = std::norm(r(Complex(-GetParam(), 0))) * still;
    for (std::int64_t k = 0; k < w.size(0); ++k) {
      expected += std::norm(r(Complex(-GetParam(), w[k].item<double>()))) * parts[k].item<double>();
    }
    const auto field = function_->field(features_);

    const Tensor end = solve(*method, *field, {start}, 1)[0];

    EXPECT_NEAR(end.square().sum().item<double>() / expected, 1, allowance(*method)) << id;
  }
}

}  // namespace
}  // namespace unmask::test::stability_test
