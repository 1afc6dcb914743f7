#pragma once
// The gradient of an implicit stage. By the implicit function theorem dY = (I - c J)^-1 (dbase + c df),
// whatever the iterations were. The graph holds one evaluation of f at the solution, and a node that
// solves (I - c J)^T u = g by GMRES with the vector-Jacobian products of that evaluation.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>

#include <torch/csrc/autograd/function.h>
#include <torch/types.h>

#include "unmask/errors.hpp"
#include "unmask/kit/ode/gmres.hpp"
#include "unmask/kit/ode/linearisation.hpp"
#include "unmask/kit/ode/newton_settings.hpp"

namespace unmask::kit {

namespace detail {

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

}  // namespace unmask::kit
