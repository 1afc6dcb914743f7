#include "ode/norms.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include <torch/types.h>

namespace unmask::ode {
namespace {

// Independent sums, so that the compiler can keep them in vector registers; they are added in
// double, hence the result does not depend on how many there are beyond the last bits of a double.
constexpr std::int64_t kLanes = 8;

template <class T>
double dense_mean_square(
    const Tensor& x, const Tensor& a, const Tensor& b, double rtol, double atol) {
  const std::int64_t size = x.numel();
  const T* px = x.data_ptr<T>();
  const T* pa = a.data_ptr<T>();
  const T* pb = b.data_ptr<T>();
  const T r = static_cast<T>(rtol);
  const T s = static_cast<T>(atol);
  const auto square = [&](std::int64_t i) {
    const T u = std::abs(pa[i]);
    const T v = std::abs(pb[i]);
    // Written so that a NaN in either survives: comparisons with NaN are false.
    const T larger = u < v ? v : (v <= u ? u : u + v);
    const double q = static_cast<double>(px[i] / (s + r * larger));
    return q * q;
  };
  std::array<double, kLanes> sums{};
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      sums[static_cast<std::size_t>(lane)] += square(i + lane);
    }
  }
  for (; i < size; ++i) sums[0] += square(i);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total / static_cast<double>(size);
}

bool is_dense_cpu(const Tensor& x, const Tensor& like) {
  return x.device().is_cpu() && x.is_non_overlapping_and_dense() && x.strides() == like.strides() &&
         x.scalar_type() == like.scalar_type();
}

bool is_dense_cpu(const ScaledNorm& norm) {
  for (std::size_t i = 0; i < norm.x->size(); ++i) {
    const Tensor& x = (*norm.x)[i];
    if (!is_dense_cpu(x, x) || !is_dense_cpu((*norm.a)[i], x)) return false;
    if (norm.b != nullptr && !is_dense_cpu((*norm.b)[i], x)) return false;
  }
  return true;
}

// Larger of two, NaN when one is.
double larger_or_nan(double a, double b) {
  return std::isnan(a) || a > b ? a : b;
}

double dense_norm(const ScaledNorm& norm, double rtol, double atol) {
  double largest = 0;
  for (std::size_t i = 0; i < norm.x->size(); ++i) {
    const Tensor& x = (*norm.x)[i];
    const Tensor& a = (*norm.a)[i];
    const Tensor& b = norm.b == nullptr ? a : (*norm.b)[i];
    const double mean = x.scalar_type() == at::kFloat
                            ? dense_mean_square<float>(x, a, b, rtol, atol)
                            : dense_mean_square<double>(x, a, b, rtol, atol);
    largest = larger_or_nan(largest, std::sqrt(mean));
  }
  return largest;
}

// The same with operations of the library: 0-dimensional, float64. One entry per component.
std::vector<Tensor> component_norms(const ScaledNorm& norm, double rtol, double atol) {
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < norm.x->size(); ++i) {
    const Tensor& a = (*norm.a)[i];
    const Tensor magnitude = norm.b == nullptr ? a.abs() : at::maximum(a.abs(), (*norm.b)[i].abs());
    const Tensor ratio = (*norm.x)[i] / (magnitude * rtol + atol);
    out.push_back(ratio.square().mean().to(at::kDouble).sqrt());
  }
  return out;
}

}  // namespace

std::vector<Scalar> scaled_norms(const std::vector<ScaledNorm>& norms,
                                 double rtol,
                                 double atol,
                                 bool differentiable,
                                 Statistics& statistics) {
  ++statistics.host_reads;
  const at::AutoGradMode mode(differentiable && at::GradMode::is_enabled());
  std::vector<Scalar> out(norms.size());
  if (!at::GradMode::is_enabled() &&
      std::all_of(
          norms.begin(), norms.end(), [](const ScaledNorm& n) { return is_dense_cpu(n); })) {
    for (std::size_t n = 0; n < norms.size(); ++n) out[n].value = dense_norm(norms[n], rtol, atol);
    return out;
  }

  std::vector<Tensor> tensors;
  std::vector<std::size_t> owner;
  for (std::size_t n = 0; n < norms.size(); ++n) {
    for (Tensor& tensor : component_norms(norms[n], rtol, atol)) {
      tensors.push_back(std::move(tensor));
      owner.push_back(n);
    }
  }
  Tensor values;
  {
    const at::NoGradGuard no_grad;
    values = at::stack(tensors).cpu();
  }
  const double* value = values.data_ptr<double>();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    Scalar& scalar = out[owner[i]];
    const bool is_first = i == 0 || owner[i] != owner[i - 1];
    if (!is_first && !std::isnan(value[i]) && !(value[i] > scalar.value)) continue;
    scalar.value = value[i];
    // The root of zero has no derivative; whoever reads the number treats zero as a case of its
    // own.
    const bool attached = tensors[i].requires_grad() && value[i] != 0;
    scalar.tensor = attached ? tensors[i] : Tensor();
  }
  return out;
}

bool all_finite(const State& state, Statistics& statistics) {
  ++statistics.host_reads;
  const at::NoGradGuard no_grad;
  std::vector<Tensor> flags;
  flags.reserve(state.size());
  for (const Tensor& tensor : state) flags.push_back(at::isfinite(tensor).all());
  return at::stack(flags).all().item<bool>();
}

}  // namespace unmask::ode
