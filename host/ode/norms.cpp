#include "ode/norms.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include <torch/types.h>

namespace unmask::ode {
namespace {

// Independent sums, so that the compiler can keep them in vector registers; they are added in
// double, hence the result does not depend on
// how many there are beyond the last bits of a double.
constexpr std::int64_t kSums = 8;

// Below the square of every norm that a float32 or float64 state can have without being zero to
// rounding.
constexpr double kSmallestSquare = 1e-200;

template <class T>
struct Quotient {
  const T* x;
  const T* a;
  const T* b;
  T rtol;
  T atol;

  double operator()(std::int64_t i) const {
    const T u = std::abs(a[i]);
    const T v = std::abs(b[i]);
    // Written so that a NaN in either survives: comparisons with NaN are false.
    const T larger = u < v ? v : (v <= u ? u : u + v);
    return static_cast<double>(x[i] / (atol + rtol * larger));
  }
};

// Larger of two, NaN when one is.
double larger_or_nan(double a, double b) {
  return std::isnan(a) || a > b ? a : b;
}

template <class T>
double root_mean_square(const Quotient<T>& quotient, std::int64_t first, std::int64_t last) {
  const auto square = [&](std::int64_t i) {
    const double q = quotient(i);
    return q * q;
  };
  std::array<double, kSums> sums{};
  std::int64_t i = first;
  for (; i + kSums <= last; i += kSums) {
    for (std::int64_t k = 0; k < kSums; ++k) sums[static_cast<std::size_t>(k)] += square(i + k);
  }
  for (; i < last; ++i) sums[0] += square(i);
  double total = 0;
  for (const double sum : sums) total += sum;
  return std::sqrt(total / static_cast<double>(last - first));
}

template <class T>
double largest_magnitude(const Quotient<T>& quotient, std::int64_t first, std::int64_t last) {
  double largest = 0;
  for (std::int64_t i = first; i < last; ++i) {
    largest = larger_or_nan(largest, std::abs(quotient(i)));
    if (std::isnan(largest)) break;
  }
  return largest;
}

template <class T>
std::vector<double> dense_norms(const Tensor& x,
                                const Tensor& a,
                                const Tensor& b,
                                const NormOptions& options) {
  const Quotient<T> quotient{x.data_ptr<T>(),
                             a.data_ptr<T>(),
                             b.data_ptr<T>(),
                             static_cast<T>(options.rtol),
                             static_cast<T>(options.atol)};
  const std::int64_t lanes = options.is_per_sample ? x.size(0) : 1;
  const std::int64_t size = x.numel() / lanes;
  std::vector<double> out;
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    const std::int64_t first = lane * size;
    out.push_back(options.norm == ErrorNorm::kRms
                      ? root_mean_square(quotient, first, first + size)
                      : largest_magnitude(quotient, first, first + size));
  }
  return out;
}

bool is_dense_cpu(const Tensor& x, const Tensor& like) {
  return x.device().is_cpu() && x.is_non_overlapping_and_dense() && x.strides() == like.strides() &&
         x.scalar_type() == like.scalar_type();
}

bool is_dense_cpu(const ScaledNorm& norm, std::size_t components, bool is_per_sample) {
  for (std::size_t i = 0; i < components; ++i) {
    const Tensor& x = (*norm.x)[i];
    if (!is_dense_cpu(x, x) || !is_dense_cpu((*norm.a)[i], x)) return false;
    if (norm.b != nullptr && !is_dense_cpu((*norm.b)[i], x)) return false;
    // Samples must follow each other in memory.
    if (is_per_sample && x.size(0) > 1 && x.stride(0) != x.numel() / x.size(0)) return false;
  }
  return true;
}

// The same with operations of the library: float64, 0-dimensional or one per sample.
Tensor library_norm(const ScaledNorm& norm, std::size_t i, const NormOptions& options) {
  const Tensor& a = (*norm.a)[i];
  const Tensor magnitude = norm.b == nullptr ? a.abs() : at::maximum(a.abs(), (*norm.b)[i].abs());
  const Tensor ratio = (*norm.x)[i] / (magnitude * options.rtol + options.atol);
  const Tensor rows = options.is_per_sample ? ratio.flatten(1) : ratio.reshape({1, -1});
  Tensor out;
  if (options.norm == ErrorNorm::kMax) {
    out = rows.abs().amax(1).to(at::kDouble);
  } else {
    // The root of zero has no derivative: a floor far below anything that occurs gives it none.
    out = rows.square().mean(1).to(at::kDouble).clamp_min(kSmallestSquare).sqrt();
  }
  return options.is_per_sample ? out : out.squeeze(0);
}

// A norm of exactly zero, which the floor has raised.
double without_floor(double value) {
  return value * value <= kSmallestSquare * 1.01 ? 0.0 : value;
}

// The numbers of all tensors, with one read.
std::vector<std::vector<double>> read(const std::vector<Tensor>& tensors) {
  const at::NoGradGuard no_grad;
  const auto count = static_cast<std::int64_t>(tensors.size());
  const Tensor rows = at::stack(tensors).cpu().reshape({count, -1}).contiguous();
  std::vector<std::vector<double>> out;
  for (std::int64_t k = 0; k < count; ++k) {
    const double* const row = rows.data_ptr<double>() + k * rows.size(1);
    out.emplace_back(row, row + rows.size(1));
    std::transform(out.back().begin(), out.back().end(), out.back().begin(), without_floor);
  }
  return out;
}

}  // namespace

std::vector<std::vector<Lanes>> component_norms(const std::vector<ScaledNorm>& norms,
                                                const NormOptions& options,
                                                bool differentiable,
                                                Statistics& statistics) {
  ++statistics.host_reads;
  const at::AutoGradMode mode(differentiable && at::GradMode::is_enabled());
  const std::size_t components =
      options.components == 0 ? norms.front().x->size() : options.components;
  const bool is_dense = std::all_of(norms.begin(), norms.end(), [&](const auto& n) {
    return is_dense_cpu(n, components, options.is_per_sample);
  });

  std::vector<Tensor> tensors;
  if (!is_dense || at::GradMode::is_enabled()) {
    for (const ScaledNorm& norm : norms) {
      for (std::size_t i = 0; i < components; ++i) {
        tensors.push_back(library_norm(norm, i, options));
      }
    }
  }
  // Dense values are the same with and without a graph, hence the steps are.
  std::vector<std::vector<double>> values;
  if (is_dense) {
    const at::NoGradGuard no_grad;
    for (const ScaledNorm& norm : norms) {
      for (std::size_t i = 0; i < components; ++i) {
        const Tensor x = (*norm.x)[i].detach();
        const Tensor& a = (*norm.a)[i];
        const Tensor& b = norm.b == nullptr ? a : (*norm.b)[i];
        values.push_back(x.scalar_type() == at::kFloat ? dense_norms<float>(x, a, b, options)
                                                       : dense_norms<double>(x, a, b, options));
      }
    }
  } else {
    values = read(tensors);
  }

  std::vector<std::vector<Lanes>> out(norms.size());
  for (std::size_t k = 0; k < values.size(); ++k) {
    const bool is_attached = !tensors.empty() && tensors[k].requires_grad();
    out[k / components].push_back(
        {std::move(values[k]), is_attached ? tensors[k] : Tensor(), options.is_per_sample});
  }
  return out;
}

Lanes largest(const std::vector<Lanes>& components) {
  std::vector<double> value = components.front().value;
  std::vector<std::size_t> winner(value.size(), 0);
  for (std::size_t i = 1; i < components.size(); ++i) {
    for (std::size_t lane = 0; lane < value.size(); ++lane) {
      const double other = components[i].value[lane];
      if (std::isnan(value[lane]) || (!std::isnan(other) && !(other > value[lane]))) continue;
      value[lane] = other;
      winner[lane] = i;
    }
  }
  std::vector<Dependence> dependences;
  for (std::size_t i = 0; i < components.size(); ++i) {
    std::vector<double> partial(value.size());
    for (std::size_t lane = 0; lane < value.size(); ++lane) partial[lane] = winner[lane] == i;
    dependences.push_back({&components[i], std::move(partial)});
  }
  if (components.size() == 1) return components.front();
  return linked(std::move(value), dependences);
}

std::vector<bool> finite_lanes(const State& state, bool is_per_sample, Statistics& statistics) {
  ++statistics.host_reads;
  const at::NoGradGuard no_grad;
  std::vector<Tensor> flags;
  for (const Tensor& tensor : state) {
    const Tensor finite = at::isfinite(tensor);
    flags.push_back(is_per_sample ? finite.flatten(1).all(1) : finite.all().reshape({1}));
  }
  const Tensor all = at::stack(flags).all(0).cpu().contiguous();
  const bool* const first = all.data_ptr<bool>();
  return std::vector<bool>(first, first + all.numel());
}

}  // namespace unmask::ode
