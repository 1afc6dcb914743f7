#pragma once
// A field linearised at a point: its value, and products with its Jacobian there. J v is the derivative
// of w -> J^T w, whose graph autograd makes once per linearisation; or a difference quotient along v,
// with the step sqrt(eps) |Y|.

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "unmask/kit/ode/newton_settings.hpp"
#include "unmask/kit/ode/row_arithmetic.hpp"

namespace unmask::kit {

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

}  // namespace detail

}  // namespace unmask::kit
