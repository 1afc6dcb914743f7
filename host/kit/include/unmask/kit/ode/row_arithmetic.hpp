#pragma once
// Arithmetic on states row by row, and products with Jacobians: what Newton's method and GMRES are
// made of.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "unmask/vector_field.hpp"

namespace unmask::kit {

/// One number per sample.
using Rows = std::vector<double>;

namespace detail {

// Eight sums in a fixed order: fast, and the same bits wherever the row stands in its batch.
template <class T>
double dot(const T* a, const T* b, std::int64_t n) {
  double sums[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (std::int64_t k = 0; k < 8; ++k) {
      sums[k] += static_cast<double>(a[i + k]) * static_cast<double>(b[i + k]);
    }
  }
  for (std::int64_t k = 0; i < n; ++i, ++k) {
    sums[k] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

template <class T>
void add_dots(const Tensor& a, const Tensor& b, Rows& out) {
  const std::int64_t n = a.numel() / a.size(0);
  for (std::size_t row = 0; row < out.size(); ++row) {
    const std::int64_t offset = static_cast<std::int64_t>(row) * n;
    out[row] += dot(a.data_ptr<T>() + offset, b.data_ptr<T>() + offset, n);
  }
}

// Products of rows, over all components together.
inline Rows dots(const State& a, const State& b) {
  Rows out(static_cast<std::size_t>(a.front().size(0)), 0.0);
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (!a[k].device().is_cpu()) {
      const Tensor sums = (a[k] * b[k])
                              .reshape({a[k].size(0), -1})
                              .sum(1, /*keepdim=*/false, at::kDouble)
                              .to(at::kCPU);
      for (std::size_t row = 0; row < out.size(); ++row) out[row] += sums.data_ptr<double>()[row];
    } else if (a[k].scalar_type() == at::kDouble) {
      add_dots<double>(a[k].contiguous(), b[k].contiguous(), out);
    } else {
      add_dots<float>(a[k].contiguous(), b[k].contiguous(), out);
    }
  }
  return out;
}

inline Rows norms(const State& a) {
  Rows out = dots(a, a);
  for (double& value : out) value = std::sqrt(value);
  return out;
}

// [B, 1, ...] in dtype and place of `like`.
inline Tensor column(const Rows& values, const Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = like.size(0);
  return at::tensor(at::ArrayRef<double>(values), at::kDouble)
      .to(like.device(), like.scalar_type())
      .view(shape);
}

// Product and sum are rounded one after the other, as everywhere below: kernels that fuse them do
// so for some positions of an array and not for others.
inline void add_scaled(State& y, const Rows& factors, const State& x) {
  for (std::size_t k = 0; k < y.size(); ++k) y[k] = y[k] + x[k] * column(factors, x[k]);
}

inline State scaled(const State& x, const Rows& factors) {
  State out;
  for (const Tensor& component : x) out.push_back(component * column(factors, component));
  return out;
}

inline State detached(const State& x) {
  State out;
  for (const Tensor& component : x) out.push_back(component.detach());
  return out;
}

inline State leaves(const State& x) {
  State out;
  for (const Tensor& component : x) out.push_back(component.detach().requires_grad_(true));
  return out;
}

inline bool any_requires_grad(const State& x) {
  return std::any_of(x.begin(), x.end(), [](const Tensor& t) { return t.requires_grad(); });
}

// Those components of `outputs` that have a graph, and what goes with them.
inline std::pair<std::vector<Tensor>, std::vector<Tensor>> attached(const State& outputs,
                                                                    const State& partners) {
  std::pair<std::vector<Tensor>, std::vector<Tensor>> out;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    if (!outputs[k].defined() || !outputs[k].requires_grad()) continue;
    out.first.push_back(outputs[k]);
    out.second.push_back(partners[k]);
  }
  return out;
}

// J^T v for a value with a graph over the leaves `at`.
inline State transposed_product(const State& value, const State& at, const State& v) {
  const auto [outputs, weights] = attached(value, v);
  State out;
  if (!outputs.empty()) {
    out = torch::autograd::grad(outputs,
                                at,
                                weights,
                                /*retain_graph=*/true,
                                /*create_graph=*/false,
                                /*allow_unused=*/true);
  }
  out.resize(at.size());
  for (std::size_t k = 0; k < at.size(); ++k) {
    if (!out[k].defined()) out[k] = at::zeros_like(at[k]);
  }
  return out;
}

}  // namespace detail

}  // namespace unmask::kit
