#pragma once
// Linear classification problems with known minimal perturbations: with u_k = w_y - w_k and margins
// m_k = z_y - z_k, class k is reached at the distance m_k / ||u_k|| in the dual norm, as long as
// the box is not in the way.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include <torch/types.h>

#include "unmask/random.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test {

/// Two classes, class 0 wins by `margin` at x = 0.5 in all coordinates; u[3] = 0, ||u||_inf = 1.
struct Binary {
  explicit Binary(double margin, std::int64_t size = 16, at::ScalarType type = at::kDouble) {
    const auto options = at::TensorOptions().dtype(at::kDouble);
    u = at::arange(1, size + 1, options) / static_cast<double>(size);
    u = u * (1 - 2 * at::arange(size, options).remainder(2));
    u[3] = 0;
    x = at::full({1, 1, 1, size}, 0.5, options);
    weight = at::stack({u, at::zeros_like(u)}).to(type);
    bias = at::tensor({margin - 0.5 * u.sum().item<double>(), 0.0}, options).to(type);
    l1 = u.abs().sum().item<double>();
    l2 = u.norm().item<double>();
    u = u.to(type);
    x = x.to(type);
  }

  LinearTarget target() const { return {weight, bias}; }
  double margin_at(const Tensor& point) const {
    const Tensor z = target().answer(point);
    return (z[0][0] - z[0][1]).item<double>();
  }
  bool is_fooled(const Tensor& point) const { return margin_at(point) < 0; }
  Tensor corner(double epsilon) const { return x - epsilon * u.sign().view_as(x); }
  /// The dual norm of u.
  double reach(Norm norm) const {
    if (norm == Norm::kLinf) return l1;
    return norm == Norm::kL2 ? l2 : u.abs().max().item<double>();
  }

  Tensor u, x, weight, bias;
  Tensor y = at::zeros({1}, at::kLong);
  double l1 = 0;
  double l2 = 0;
};

/// Several classes on grey images; class 0 wins everywhere, by margins between 0.2 and 0.6.
struct ManyClasses {
  explicit ManyClasses(std::int64_t classes = 5,
                       std::int64_t rows = 4,
                       std::int64_t size = 16,
                       at::ScalarType type = at::kDouble) {
    const auto options = at::TensorOptions().dtype(at::kDouble);
    std::vector<std::int64_t> ids(static_cast<std::size_t>(std::max(classes, rows)));
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);
    SampleRandom random(11, ids);
    weight = random.normal(at::empty({random.rows(), size}, options)).narrow(0, 0, classes);
    x = 0.5 + random.uniform(at::empty({random.rows(), 1, 1, size}, options), -0.02, 0.02)
                  .narrow(0, 0, rows);
    y = at::zeros({rows}, at::kLong);
    const Tensor margins = 0.2 + 0.4 * at::arange(classes, options) / static_cast<double>(classes);
    // The smallest margin over the images is the one asked for.
    const Tensor products = at::matmul(x.flatten(1), weight.t());
    const Tensor leads = (products.select(1, 0).unsqueeze(1) - products).amin(0);
    bias = leads - margins;
    bias[0] = 0;
    x = x.to(type);
    weight = weight.to(type).contiguous();
    bias = bias.to(type);
  }

  LinearTarget target() const { return {weight, bias}; }

  /// Smallest perturbation per sample, float64 [B].
  Tensor minimal(Norm norm) const {
    const Tensor logits = target().answer(x).to(at::kDouble);
    const Tensor u = (weight[0].unsqueeze(0) - weight).narrow(0, 1, weight.size(0) - 1);
    Tensor reach;
    if (norm == Norm::kLinf) reach = u.abs().sum(1);
    if (norm == Norm::kL2) reach = u.norm(2, 1);
    if (norm == Norm::kL1) reach = u.abs().amax(1);
    const Tensor margins =
        logits.select(1, 0).unsqueeze(1) - logits.narrow(1, 1, logits.size(1) - 1);
    return (margins / reach.to(at::kDouble).unsqueeze(0)).amin(1);
  }

  Tensor x, y, weight, bias;
};

inline double max_difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

inline const char* name_of(Norm norm) {
  if (norm == Norm::kL1) return "l1";
  return norm == Norm::kL2 ? "l2" : "linf";
}

}  // namespace unmask::test
