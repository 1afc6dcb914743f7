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

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <torch/csrc/autograd/functions/utils.h>
#include <torch/types.h>

#include "unmask/kit/ode/gmres.hpp"
#include "unmask/kit/ode/linearisation.hpp"
#include "unmask/kit/ode/newton_settings.hpp"
#include "unmask/kit/ode/stage_node.hpp"

namespace unmask::kit {

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

  // Long: every step of the iteration works on the same rows: who is open, how far, to what bound.
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
      if (none(open)) {
        State y = here.y;
        detail::add_scaled(y, Rows(rows, 1.0), move.x);
        return {y, ""};
      }
      const State start = here.y;
      const Rows start_size = here.size;
      if (!descend(field, t, c, base, move.x, searching, here)) {
        return {start,
                failure(t, here, iteration + 1, vectors, searching, start_size, bound, tolerance)};
      }
    }
  }

  // Moves every row along its step, halved until the residual of those that search has fallen.
  // Returns whether all found such a step; `searching` then names nobody, otherwise those who did
  // not. `here` becomes the point that was tried last.
  bool descend(VectorField& field,
               const Scalar& t,
               double c,
               const State& base,
               const State& step,
               std::vector<bool>& searching,
               Point& here) const {
    const State start = here.y;
    const Rows start_size = here.size;
    Rows factor(start_size.size(), 1.0);
    for (int halvings = 0; halvings <= kMostHalvings; ++halvings) {
      State y = start;
      detail::add_scaled(y, factor, step);
      here = point_at(field, t, c, base, y);
      for (std::size_t row = 0; row < factor.size(); ++row) {
        if (!searching[row]) continue;
        if (here.size[row] <= (1 - 1e-4 * factor[row]) * start_size[row]) {
          searching[row] = false;
        } else {
          factor[row] /= 2;
        }
      }
      if (none(searching)) return true;
    }
    return false;
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
