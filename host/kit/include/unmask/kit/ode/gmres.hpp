#pragma once
// GMRES [SS86] for every row of a batch by itself.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "unmask/kit/ode/row_arithmetic.hpp"

namespace unmask::kit {

namespace detail {

// The least squares problem of one sample in GMRES: the Hessenberg matrix, rotated to a triangle.
class RowLeastSquares {
 public:
  explicit RowLeastSquares(double start = 0) : right_{start} {}

  /// The next column, one entry longer than the one before it. Returns the residual with it.
  double append(Rows entries) {
    const std::size_t j = columns_.size();
    for (std::size_t i = 0; i < j; ++i) {
      const double upper = cosine_[i] * entries[i] + sine_[i] * entries[i + 1];
      entries[i + 1] = cosine_[i] * entries[i + 1] - sine_[i] * entries[i];
      entries[i] = upper;
    }
    const double length = std::hypot(entries[j], entries[j + 1]);
    cosine_.push_back(length > 0 ? entries[j] / length : 1);
    sine_.push_back(length > 0 ? entries[j + 1] / length : 0);
    entries[j] = length;
    entries.pop_back();
    columns_.push_back(std::move(entries));
    // A column of zeros leaves the residual where it is.
    const double before = std::abs(right_[j]);
    right_.push_back(-sine_[j] * right_[j]);
    right_[j] *= cosine_[j];
    return length > 0 ? std::abs(right_[j + 1]) : before;
  }

  /// Coefficients of the Krylov vectors. A column that adds nothing gets 0.
  Rows solve() const {
    Rows out(columns_.size(), 0.0);
    for (std::size_t j = columns_.size(); j-- > 0;) {
      double value = right_[j];
      for (std::size_t i = j + 1; i < columns_.size(); ++i) value -= columns_[i][j] * out[i];
      out[j] = columns_[j][j] > 0 ? value / columns_[j][j] : 0;
    }
    return out;
  }

 private:
  std::vector<Rows> columns_;
  Rows cosine_;
  Rows sine_;
  Rows right_;
};

// Takes from every row of `next` its parts along the basis, and returns them. Gram and Schmidt twice:
// orthogonal to rounding.
inline std::vector<Rows> make_orthogonal(State& next, const std::vector<State>& basis) {
  const auto rows = static_cast<std::size_t>(next.front().size(0));
  std::vector<Rows> entries(basis.size(), Rows(rows, 0.0));
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<Rows> parts;
    for (const State& vector : basis) parts.push_back(dots(vector, next));
    for (std::size_t i = 0; i < basis.size(); ++i) {
      for (std::size_t row = 0; row < rows; ++row) {
        entries[i][row] += parts[i][row];
        parts[i][row] = -parts[i][row];
      }
      add_scaled(next, parts[i], basis[i]);
    }
  }
  return entries;
}

}  // namespace detail

using LinearMap = std::function<State(const State&)>;

struct LinearSolution {
  State x;
  Rows residual;    ///< Euclidean, absolute
  Rows norm;        ///< of the map on this row, from below
  int vectors = 0;  ///< products made
};

/// One cycle of GMRES from zero, for every row by itself. Rows whose right-hand side is not above
/// their target get x = 0.
/// @param map  linear, row by row; zero rows stay zero
inline LinearSolution gmres(const LinearMap& map,
                            const State& right,
                            const Rows& target,
                            int dimension) {
  const std::size_t rows = target.size();
  LinearSolution out;
  out.residual = detail::norms(right);
  out.norm.assign(rows, 0.0);
  std::vector<detail::RowLeastSquares> problems;
  std::vector<bool> open(rows);
  Rows factors(rows, 0.0);
  for (std::size_t row = 0; row < rows; ++row) {
    open[row] = out.residual[row] > target[row];
    if (open[row]) factors[row] = 1 / out.residual[row];
    problems.emplace_back(out.residual[row]);
  }
  // Rows that are done are zero from there on: they cost nothing but their place.
  std::vector<State> basis = {detail::scaled(right, factors)};
  const auto is_open = [](bool value) { return value; };
  while (out.vectors < dimension && std::any_of(open.begin(), open.end(), is_open)) {
    State next = map(basis.back());
    ++out.vectors;
    const std::vector<Rows> entries = detail::make_orthogonal(next, basis);
    const Rows lengths = detail::norms(next);
    for (std::size_t row = 0; row < rows; ++row) {
      factors[row] = 0;
      if (!open[row]) continue;
      Rows entry;
      double size = lengths[row];
      for (const Rows& values : entries) {
        entry.push_back(values[row]);
        size = std::max(size, std::abs(values[row]));
      }
      entry.push_back(lengths[row]);
      // Basis vectors have length one: the image of the last one is as long as its coefficients.
      double image = 0;
      for (const double value : entry) image = std::hypot(image, value);
      out.norm[row] = std::max(out.norm[row], image);
      out.residual[row] = problems[row].append(std::move(entry));
      // The space is exhausted when what is left of the new vector is rounding.
      const double rounding = 1e-15 * size;
      open[row] = out.residual[row] > target[row] && lengths[row] > rounding;
      if (open[row]) factors[row] = 1 / lengths[row];
    }
    basis.push_back(detail::scaled(next, factors));
  }
  std::vector<Rows> weights(basis.size(), Rows(rows, 0.0));
  for (std::size_t row = 0; row < rows; ++row) {
    const Rows solution = problems[row].solve();
    for (std::size_t i = 0; i < solution.size(); ++i) weights[i][row] = solution[i];
  }
  for (const Tensor& component : right) out.x.push_back(at::zeros_like(component));
  for (std::size_t i = 0; i < basis.size(); ++i) detail::add_scaled(out.x, weights[i], basis[i]);
  return out;
}

}  // namespace unmask::kit
