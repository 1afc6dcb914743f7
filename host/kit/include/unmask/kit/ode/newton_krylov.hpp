#pragma once
// The equations of implicit methods, Y = base + c f(t, Y), for states as large as images: Newton's
// method with GMRES [SS86], [KK04], so that no matrix is ever formed. Every sample (row of axis 0)
// has a Krylov space, an iteration count and a line search of its own and rests when it is done:
// its result does not depend on its batch-mates.
//
// Newton:  (I - c J) d = -(Y - base - c f(t, Y)),  Y := Y + d
//   A sample is done when its residual, or its last d together with the residual of the linear
//   system, is below tolerance * (|Y| + |base|) in the Euclidean norm. The second test is the one
//   that rounding leaves within reach when c J is large: the residual then carries errors of the
//   size of eps |c J| |Y| along directions in which they move Y by eps |Y| only. Where even that is
//   not so, the tolerance is 4 eps |I - c J|, with the norm that GMRES has seen: the residual is
//   then rounding of the field itself.
// J v is the derivative of w -> J^T w, whose graph autograd makes once per linearisation; or a
//   difference quotient along v, with the step sqrt(eps) |Y|.
// Gradient: by the implicit function theorem dY = (I - c J)^-1 (dbase + c df), whatever the
//   iterations were. The graph holds one evaluation of f at the solution, and a node that solves
//   (I - c J)^T u = g by GMRES with the vector-Jacobian products of that evaluation.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace unmask::kit {

enum class JacobianProduct {
  kAutograd,    ///< exact; the field's backward pass must be differentiable
  kDifference,  ///< one evaluation each, for any field; in float32 too coarse for stiff problems
};

struct NewtonSettings {
  std::optional<double> tolerance;  ///< nullopt: 1e-10 in float64, 1e-6 in float32
  int max_newton = 20;
  int krylov_dimension = 30;
  double linear_tolerance = 1e-4;
  JacobianProduct jacobian = JacobianProduct::kAutograd;

  double tolerance_for(const Tensor& like) const {
    return tolerance.value_or(like.scalar_type() == at::kDouble ? 1e-10 : 1e-6);
  }
};

/// The declarations of NewtonSettings, and their values.
inline std::vector<ParamSpec> newton_params() {
  return {real("newton_tolerance",
               "relative error of a stage; left out: 1e-10 in float64, 1e-6 in float32")
              .optional()
              .above(0)
              .below(1),
          integer("max_newton", "most Newton iterations per stage").by_default(20).at_least(1),
          integer("krylov_dimension", "most Krylov vectors per Newton iteration")
              .by_default(30)
              .at_least(1)
              .at_most(1000),
          real("linear_tolerance", "residual at which a linear system counts as solved, relative")
              .by_default(1e-4)
              .above(0)
              .below(1),
          choice("jacobian",
                 {"autograd", "difference"},
                 "products with the Jacobian: exact, or by difference quotients of the field")
              .by_default("autograd")};
}

inline NewtonSettings newton_settings(const Params& p) {
  NewtonSettings settings;
  if (p.has("newton_tolerance")) settings.tolerance = p.get_real("newton_tolerance");
  settings.max_newton = static_cast<int>(p.get_integer("max_newton"));
  settings.krylov_dimension = static_cast<int>(p.get_integer("krylov_dimension"));
  settings.linear_tolerance = p.get_real("linear_tolerance");
  settings.jacobian = p.get_text("jacobian") == "difference" ? JacobianProduct::kDifference
                                                             : JacobianProduct::kAutograd;
  return settings;
}

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
    // Gram and Schmidt twice: orthogonal to rounding.
    std::vector<Rows> entries(basis.size(), Rows(rows, 0.0));
    for (int pass = 0; pass < 2; ++pass) {
      std::vector<Rows> parts;
      for (const State& vector : basis) parts.push_back(detail::dots(vector, next));
      for (std::size_t i = 0; i < basis.size(); ++i) {
        for (std::size_t row = 0; row < rows; ++row) {
          entries[i][row] += parts[i][row];
          parts[i][row] = -parts[i][row];
        }
        detail::add_scaled(next, parts[i], basis[i]);
      }
    }
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

namespace detail {

// f at a point, without a graph outside, and products with its Jacobian there.
class Linearisation {
 public:
  Linearisation(VectorField& field, const Scalar& t, const State& y, JacobianProduct kind)
      : field_(&field), t_(t), y_(detached(y)), kind_(kind) {
    const at::AutoGradMode mode(kind == JacobianProduct::kAutograd);
    if (kind == JacobianProduct::kAutograd) {
      at_ = leaves(y);
      graph_ = field.evaluate(t, at_);
      value_ = detached(graph_);
    } else {
      value_ = field.evaluate(t, y_);
    }
  }

  const State& value() const { return value_; }

  /// Autograd sees no derivative of some component: a constant, or a field that cuts its own graph.
  bool is_cut() const {
    return kind_ == JacobianProduct::kAutograd &&
           !std::all_of(
               graph_.begin(), graph_.end(), [](const Tensor& t) { return t.requires_grad(); });
  }

  State product(const State& v) {
    return kind_ == JacobianProduct::kAutograd ? exact_product(v) : quotient(v);
  }

 private:
  State exact_product(const State& v) {
    if (!is_prepared_) prepare();
    const auto [outputs, along] = attached(pulled_, v);
    State out;
    if (!outputs.empty()) {
      out = torch::autograd::grad(outputs,
                                  weights_,
                                  along,
                                  /*retain_graph=*/true,
                                  /*create_graph=*/false,
                                  /*allow_unused=*/true);
    }
    out.resize(v.size());
    for (std::size_t k = 0; k < v.size(); ++k) {
      if (!out[k].defined()) out[k] = at::zeros_like(v[k]);
    }
    return out;
  }

  // The graph of w -> J^T w.
  void prepare() {
    is_prepared_ = true;
    const at::AutoGradMode with_graph(true);
    for (const Tensor& component : value_) {
      weights_.push_back(at::zeros_like(component).requires_grad_(true));
    }
    const auto [outputs, weights] = attached(graph_, weights_);
    if (outputs.empty()) return;
    pulled_ = torch::autograd::grad(outputs,
                                    at_,
                                    weights,
                                    /*retain_graph=*/true,
                                    /*create_graph=*/true,
                                    /*allow_unused=*/true);
  }

  State quotient(const State& v) {
    const double eps = y_.front().scalar_type() == at::kDouble ? 2.2e-16 : 1.2e-7;
    const Rows sizes = norms(y_);
    const Rows lengths = norms(v);
    Rows steps(sizes.size());
    Rows inverse(sizes.size());
    for (std::size_t row = 0; row < sizes.size(); ++row) {
      if (lengths[row] == 0) continue;
      steps[row] = std::sqrt(eps) * (sizes[row] > 0 ? sizes[row] : 1) / lengths[row];
      inverse[row] = 1 / steps[row];
    }
    State moved = y_;
    add_scaled(moved, steps, v);
    State out = field_->evaluate(t_, moved);
    for (std::size_t k = 0; k < out.size(); ++k) out[k] = out[k] - value_[k];
    return scaled(out, inverse);
  }

  VectorField* field_;
  Scalar t_;
  State y_;
  JacobianProduct kind_;
  State value_;
  State at_;
  State graph_;
  bool is_prepared_ = false;
  State weights_;
  State pulled_;
};

// v - c J v
inline State shifted(const State& v, double c, const State& product) {
  State out;
  for (std::size_t k = 0; k < v.size(); ++k) out.push_back(v[k] - product[k] * c);
  return out;
}

// The solution of Y = base + c f(t, Y) as one node of the graph. Inputs: base, then f at Y.
class StageNode final : public torch::autograd::Node {
 public:
  StageNode(std::string method, NewtonSettings settings, double c, State at, State value)
      : method_(std::move(method)),
        settings_(settings),
        c_(c),
        at_(std::move(at)),
        value_(std::move(value)) {}

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (at_.empty()) {
      throw NumericError(method_ +
                         ": the graph of this step was released by a backward pass; keep "
                         "it (retain_graph) to go back a second time");
    }
    if (at::GradMode::is_enabled()) {
      throw NumericError(method_ +
                         ": second derivatives through an implicit step are not available");
    }
    const std::size_t n = at_.size();
    torch::autograd::variable_list out(2 * n);
    if (std::none_of(
            gradients.begin(), gradients.end(), [](const Tensor& g) { return g.defined(); })) {
      return out;
    }
    State right;
    for (std::size_t k = 0; k < n; ++k) {
      right.push_back(gradients[k].defined() ? gradients[k] : at::zeros_like(at_[k]));
    }
    const State u = solve_transposed(right);
    for (std::size_t k = 0; k < n; ++k) {
      if (task_should_compute_output(k)) out[k] = u[k];
      if (task_should_compute_output(n + k)) out[n + k] = u[k] * c_;
    }
    return out;
  }

  std::string name() const override { return "StageNode"; }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    at_.clear();
    value_.clear();
  }

 private:
  // (I - c J)^T u = right
  State solve_transposed(const State& right) const {
    const LinearMap map = [this](const State& v) {
      return shifted(v, c_, transposed_product(value_, at_, v));
    };
    Rows target = norms(right);
    for (double& value : target) value *= settings_.tolerance_for(right.front());
    State u;
    for (const Tensor& component : right) u.push_back(at::zeros_like(component));
    State rest = right;
    double worst = 0;
    int vectors = 0;
    for (int cycle = 0; cycle < settings_.max_newton; ++cycle) {
      const LinearSolution part = gmres(map, rest, target, settings_.krylov_dimension);
      vectors += part.vectors;
      worst = 0;
      bool is_done = true;
      for (std::size_t row = 0; row < target.size(); ++row) {
        if (part.residual[row] <= target[row]) continue;
        is_done = false;
        const double relative = part.residual[row] / target[row];
        worst = std::isnan(relative) ? relative : std::max(worst, relative);
      }
      for (std::size_t k = 0; k < u.size(); ++k) u[k] = u[k] + part.x[k];
      if (is_done) return u;
      if (std::isnan(worst)) break;
      rest = map(u);
      Rows finished(target.size(), 1.0);
      for (std::size_t row = 0; row < target.size(); ++row) {
        if (part.residual[row] <= target[row]) finished[row] = 0;
      }
      for (std::size_t k = 0; k < u.size(); ++k) {
        rest[k] = (right[k] - rest[k]) * column(finished, right[k]);
      }
    }
    std::ostringstream text;
    text << method_ << ": the gradient's linear system was not solved: after " << vectors
         << " Krylov vectors a residual is " << worst
         << " times the tolerance; raise krylov_dimension or max_newton, or take a shorter step";
    throw NumericError(text.str());
  }

  std::string method_;
  NewtonSettings settings_;
  double c_;
  State at_;     // the solution, as leaves
  State value_;  // f there, with its graph
};

}  // namespace detail

struct StageSolution {
  State y;
  std::string failure;  ///< a sentence; empty: solved
};

class StageSolver {
 public:
  /// @param method  id of the method, for messages
  StageSolver(std::string method, NewtonSettings settings)
      : method_(std::move(method)), settings_(settings) {}

  /// Y with Y = base + c f(t, Y), attached to the graph where `base` or the field's parameters are.
  /// @param t      a constant
  /// @param guess  first guess
  StageSolution solve(
      VectorField& field, const Scalar& t, double c, const State& base, const State& guess) const {
    StageSolution out = iterate(field, t, c, detail::detached(base), detail::detached(guess));
    if (out.failure.empty() && at::GradMode::is_enabled()) attach(field, t, c, base, out.y);
    return out;
  }

 private:
  // What the Newton iterations know of one point.
  struct Point {
    State y;
    std::unique_ptr<detail::Linearisation> f;
    State residual;
    Rows size;  // of the residual
  };

  Point point_at(
      VectorField& field, const Scalar& t, double c, const State& base, const State& y) const {
    Point out;
    out.y = y;
    out.f = std::make_unique<detail::Linearisation>(field, t, y, settings_.jacobian);
    for (std::size_t k = 0; k < y.size(); ++k) {
      out.residual.push_back((y[k] - base[k]) - out.f->value()[k] * c);
    }
    out.size = detail::norms(out.residual);
    return out;
  }

  StageSolution iterate(
      VectorField& field, const Scalar& t, double c, const State& base, const State& guess) const {
    const at::NoGradGuard no_grad;
    const double tolerance = settings_.tolerance_for(base.front());
    const std::size_t rows = static_cast<std::size_t>(base.front().size(0));
    const Rows base_size = detail::norms(base);
    const double eps = base.front().scalar_type() == at::kDouble ? 2.2e-16 : 1.2e-7;
    std::vector<bool> open(rows, true);
    Rows norm(rows, 0.0);  // of I - c J, as far as it is known
    Point here = point_at(field, t, c, base, guess);
    int vectors = 0;
    for (int iteration = 0;; ++iteration) {
      const Rows y_size = detail::norms(here.y);
      Rows bound(rows);
      Rows target(rows, std::numeric_limits<double>::infinity());
      for (std::size_t row = 0; row < rows; ++row) {
        bound[row] = std::max(tolerance, 4 * eps * norm[row]) * (y_size[row] + base_size[row]);
        if (open[row]) open[row] = !(here.size[row] <= bound[row]);
        if (open[row]) {
          target[row] = std::max(settings_.linear_tolerance * here.size[row], 0.1 * bound[row]);
        }
      }
      if (none(open)) return {here.y, ""};
      const bool is_finite = std::all_of(
          here.size.begin(), here.size.end(), [](double s) { return std::isfinite(s); });
      if (!is_finite || iteration == settings_.max_newton) {
        return {here.y, failure(t, here, iteration, vectors, open, here.size, bound, tolerance)};
      }

      State right;
      for (const Tensor& component : here.residual) right.push_back(-component);
      const LinearMap map = [&](const State& v) {
        return detail::shifted(v, c, here.f->product(v));
      };
      const LinearSolution move = gmres(map, right, target, settings_.krylov_dimension);
      vectors += move.vectors;
      for (std::size_t row = 0; row < rows; ++row) {
        norm[row] = std::max(norm[row], move.norm[row]);
      }

      // Rows whose move is below the tolerance make it and rest, without another evaluation.
      const Rows length = detail::norms(move.x);
      std::vector<bool> searching = open;
      for (std::size_t row = 0; row < rows; ++row) {
        if (!open[row] || length[row] > bound[row] || move.residual[row] > bound[row]) continue;
        open[row] = false;
        searching[row] = false;
      }
      const State start = here.y;
      const Rows start_size = here.size;
      Rows factor(rows, 1.0);
      for (int halvings = 0;; ++halvings) {
        State y = start;
        detail::add_scaled(y, factor, move.x);
        if (none(open)) return {y, ""};
        here = point_at(field, t, c, base, y);
        for (std::size_t row = 0; row < rows; ++row) {
          if (!searching[row]) continue;
          if (here.size[row] <= (1 - 1e-4 * factor[row]) * start_size[row]) {
            searching[row] = false;
          } else {
            factor[row] /= 2;
          }
        }
        if (none(searching)) break;
        if (halvings == kMostHalvings) {
          return {
              start,
              failure(t, here, iteration + 1, vectors, searching, start_size, bound, tolerance)};
        }
      }
    }
  }

  static bool none(const std::vector<bool>& rows) {
    return std::none_of(rows.begin(), rows.end(), [](bool value) { return value; });
  }

  std::string failure(const Scalar& t,
                      const Point& here,
                      int iterations,
                      int vectors,
                      const std::vector<bool>& open,
                      const Rows& size,
                      const Rows& bound,
                      double tolerance) const {
    std::size_t failed = 0;
    double worst = 0;
    for (std::size_t row = 0; row < open.size(); ++row) {
      if (!open[row] && std::isfinite(size[row])) continue;
      ++failed;
      const double relative = bound[row] > 0 ? size[row] / bound[row] * tolerance : size[row];
      worst = std::isfinite(relative) ? std::max(worst, relative) : relative;
      if (!std::isfinite(worst)) break;
    }
    std::ostringstream text;
    text << method_
         << ": Newton's method did not solve the equations of the stage at t = " << t.value << ": ";
    if (!std::isfinite(worst)) {
      text << "the field is not finite there after " << iterations
           << " iterations; take a shorter step";
      return text.str();
    }
    text << "after " << iterations << " iterations and " << vectors
         << " Krylov vectors the relative residual of " << failed << " of " << open.size()
         << " samples is up to " << worst << ", not " << tolerance
         << "; take a shorter step, or raise krylov_dimension or max_newton";
    if (here.f->is_cut()) {
      text << "; autograd sees no derivative of this field, which then cuts its own graph (as that "
              "of "
              "an adjoint solve does): set jacobian to difference";
    }
    return text.str();
  }

  // Makes the solution a function of `base` and of what the field captures.
  void attach(VectorField& field, const Scalar& t, double c, const State& base, State& y) const {
    if (!detail::any_requires_grad(base) &&
        !detail::any_requires_grad(field.evaluate(t, detail::detached(y)))) {
      return;
    }
    const State at = detail::leaves(y);
    const State value = field.evaluate(t, at);
    const std::shared_ptr<detail::StageNode> node(
        new detail::StageNode(method_, settings_, c, at, value), torch::autograd::deleteNode);
    torch::autograd::edge_list edges;
    for (const Tensor& component : base) {
      edges.push_back(torch::autograd::impl::gradient_edge(component));
    }
    for (const Tensor& component : value) {
      edges.push_back(torch::autograd::impl::gradient_edge(component));
    }
    node->set_next_edges(std::move(edges));
    for (Tensor& component : y) {
      component = component.detach();
      torch::autograd::create_gradient_edge(component, node);
    }
  }

  // A step of 2^-10 that still does not descend points to a kink or to rounding.
  static constexpr int kMostHalvings = 10;

  std::string method_;
  NewtonSettings settings_;
};

}  // namespace unmask::kit
