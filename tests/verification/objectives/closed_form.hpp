#pragma once
// A linear network with two classes and images far from the border of the box. There the gradient
// of the cross-entropy and of the divergence always points along the difference of the two weights,
// so inner attacks have known ends.

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include <torch/types.h>

#include "unmask/testing/linear_step.hpp"

namespace unmask::test {

struct TwoClasses {
  std::vector<std::int64_t> ids = {3, 1, 4, 5};
  Tensor x = SampleRandom(3, ids).uniform(at::empty({4, 1, 3, 3}, at::kDouble), 0.3, 0.7);
  Tensor y = at::tensor({0, 1, 1, 0}, at::kLong);
  Tensor weight = SampleRandom(4, {0, 1}).normal(at::empty({2, 9}, at::kDouble));

  LinearStep step() const { return LinearStep(weight, ids); }

  /// Weight of class 1 minus weight of class 0, as an image.
  Tensor difference() const { return (weight[1] - weight[0]).view({1, 1, 3, 3}); }

  /// +1 or -1 for each sample, [B, 1, 1, 1]: towards which class the other one lies.
  Tensor away_from_label() const { return (1 - 2 * y.to(at::kDouble)).view({-1, 1, 1, 1}); }
};

/// log softmax of the linear network, by the definition.
inline Tensor log_answers(const Tensor& weight, const Tensor& x) {
  const Tensor z = at::matmul(x.flatten(1), weight.t());
  return z - z.exp().sum(1, /*keepdim=*/true).log();
}

/// Mean of -log p_y, one sample after the other.
inline double mean_cross_entropy(const Tensor& weight, const Tensor& x, const Tensor& y) {
  const Tensor log_p = log_answers(weight, x);
  double sum = 0;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    sum -= log_p[i][y[i].item<std::int64_t>()].item<double>();
  }
  return sum / static_cast<double>(x.size(0));
}

/// Mean of sum_k p_k (log p_k - log q_k), p the answers at x and q those at point.
inline double mean_divergence(const Tensor& weight, const Tensor& x, const Tensor& point) {
  const Tensor log_p = log_answers(weight, x);
  const Tensor log_q = log_answers(weight, point);
  double sum = 0;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    for (std::int64_t k = 0; k < weight.size(0); ++k) {
      const double p = log_p[i][k].item<double>();
      sum += std::exp(p) * (p - log_q[i][k].item<double>());
    }
  }
  return sum / static_cast<double>(x.size(0));
}

/// Central differences of `function` by every entry of `weight`.
inline Tensor finite_differences(const std::function<double(const Tensor&)>& function,
                                 const Tensor& weight,
                                 double h) {
  Tensor result = at::zeros_like(weight);
  for (std::int64_t i = 0; i < weight.numel(); ++i) {
    const auto moved = [&](double by) {
      Tensor copy = weight.clone();
      copy.view(-1)[i] += by;
      return function(copy);
    };
    result.view(-1)[i] = (moved(h) - moved(-h)) / (2 * h);
  }
  return result;
}

}  // namespace unmask::test
