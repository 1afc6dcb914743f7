#pragma once
// Adams' multistep methods on grids of any spacing [HNW93] III.1 and III.5: the polynomial through
// f at the latest points is integrated over the step. `explicit_adams` and `implicit_adams` are
// these steps and a table of parameters.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace unmask::kit {

namespace detail {

// The product of (s - node_k) over all k but `skip`, as coefficients of 1, s, s^2, ...
inline std::vector<double> product_without(const std::vector<double>& nodes, std::size_t skip) {
  std::vector<double> out = {1};
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    if (k == skip) continue;
    out.push_back(0);
    for (std::size_t i = out.size() - 1; i > 0; --i) out[i] = out[i - 1] - nodes[k] * out[i];
    out[0] *= -nodes[k];
  }
  return out;
}

// Positions of t0 and of the earlier times, in units of the step: 0, -1, -2, ... on equal steps.
inline std::vector<double> nodes_of(double t0, double h, const std::vector<double>& earlier) {
  std::vector<double> nodes = {0};
  for (const double t : earlier) nodes.push_back((t - t0) / h);
  return nodes;
}

}  // namespace detail

/// Weights w of the explicit method: y1 = y0 + h (w_0 f(t0) + w_1 f(earlier_0) + ...). Of order
/// 1 + earlier.size().
inline std::vector<double> bashforth_weights(double t0,
                                             double h,
                                             const std::vector<double>& earlier) {
  const std::vector<double> nodes = detail::nodes_of(t0, h, earlier);
  std::vector<double> weights;
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    // No node is positive, so all terms of the integral over [0, 1] are: nothing cancels.
    const std::vector<double> p = detail::product_without(nodes, j);
    double integral = 0;
    for (std::size_t i = 0; i < p.size(); ++i) integral += p[i] / static_cast<double>(i + 1);
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      if (k != j) integral /= nodes[j] - nodes[k];
    }
    weights.push_back(integral);
  }
  return weights;
}

/// Weights w of the implicit method: y1 = y0 + h (w_0 f(t1) + w_1 f(t0) + w_2 f(earlier_0) + ...).
/// Of order 2 + earlier.size().
inline std::vector<double> moulton_weights(double t0,
                                           double h,
                                           const std::vector<double>& earlier) {
  const std::vector<double> nodes = detail::nodes_of(t0, h, earlier);
  std::vector<double> weights(1 + nodes.size());
  // The polynomial that is 1 at the end: all terms positive, as above.
  const std::vector<double> end = detail::product_without(nodes, nodes.size());
  for (std::size_t i = 0; i < end.size(); ++i) weights[0] += end[i] / static_cast<double>(i + 1);
  for (const double node : nodes) weights[0] /= 1 - node;
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    // A factor s - 1 besides: the integral of (s - 1) s^i is -1 / ((i + 1) (i + 2)).
    const std::vector<double> p = detail::product_without(nodes, j);
    double integral = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      integral -= p[i] / (static_cast<double>(i + 1) * static_cast<double>(i + 2));
    }
    integral /= nodes[j] - 1;
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      if (k != j) integral /= nodes[j] - nodes[k];
    }
    weights[j + 1] = integral;
  }
  return weights;
}

/// When the corrector of the implicit method has converged.
enum class AdamsConvergence {
  kSample,  ///< every sample at its own increments: results do not depend on batch-mates
  kBatch,   ///< the whole batch at its largest increment, as torchdiffeq
};

/// Between which times the weights of a step are computed. They differ where steps do, as the last
/// one of a grid may.
enum class AdamsSpacing {
  kActual,  ///< those of the grid: the polynomial is integrated exactly
  kEqual,   ///< as if all earlier steps were as long as this one, as torchdiffeq: of order 1 where
            ///< they are not
};

struct AdamsSettings {
  bool is_implicit = false;
  int max_order = 4;
  int max_iterations = 4;
  double rtol = 1e-3;
  double atol = 1e-4;
  AdamsConvergence convergence = AdamsConvergence::kSample;
  AdamsSpacing spacing = AdamsSpacing::kActual;
};

class Adams : public Method {
 public:
  explicit Adams(const AdamsSettings& settings) : settings_(settings), start_(three_eighths()) {}

  // The first two steps are of order 4 and the third has two earlier points, whatever the cap: more
  // points than four do not raise the order that is observed.
  MethodTraits traits() const override {
    MethodTraits traits;
    const int points = settings_.max_order - 1;
    traits.order = settings_.is_implicit ? std::min(points + 1, 5) : std::min(points, 4);
    traits.stages = settings_.is_implicit ? 0 : 1;
    traits.is_implicit = settings_.is_implicit;
    traits.couples_samples =
        settings_.is_implicit && settings_.convergence == AdamsConvergence::kBatch;
    traits.history = points - 1;
    return traits;
  }

  StepOutput step(VectorField& field,
                  const StepInput& input,
                  const State& y0,
                  const State& f0) override {
    UNMASK_CHECK(input.history != nullptr, "a multistep method without its history");
    UNMASK_CHECK(input.h.is_constant() && input.t0.is_constant(),
                 "a multistep method with a step that is not a constant");
    const History& history = *input.history;
    if (history.times.size() < kStartSteps) {
      StepOutput out = start_.step(field, input, y0, f0);
      out.stages.clear();
      return out;
    }
    return settings_.is_implicit ? implicit_step(field, input, y0, f0)
                                 : explicit_step(input, y0, f0);
  }

 private:
  // Steps made by Kutta's rule before there are points enough.
  static constexpr std::size_t kStartSteps = 2;

  static Tableau three_eighths() {
    return {.order = 4,
            .a = {{1.0 / 3}, {-1.0 / 3, 1.0}, {1.0, -1.0, 1.0}},
            .b = {1.0 / 8, 3.0 / 8, 3.0 / 8, 1.0 / 8},
            .c = {1.0 / 3, 2.0 / 3, 1.0}};
  }

  // base + h sum weights_i f_i over f0 and the history; `base` may be empty: zero.
  static State extrapolated(const State& base,
                            const StepInput& input,
                            const State& f0,
                            const std::vector<double>& weights) {
    State out;
    std::vector<Tensor> terms(weights.size());
    for (std::size_t component = 0; component < f0.size(); ++component) {
      terms[0] = f0[component];
      for (std::size_t i = 1; i < terms.size(); ++i) {
        terms[i] = input.history->derivatives[i - 1][component];
      }
      out.push_back(combine(base.empty() ? Tensor() : base[component], input.h, weights, terms));
    }
    return out;
  }

  StepOutput explicit_step(const StepInput& input, const State& y0, const State& f0) const {
    StepOutput out;
    out.y1 = extrapolated(y0, input, f0, bashforth_weights(0, 1, earlier_starts(input)));
    return out;
  }

  // Where the weights take the earlier steps to have started, seen from t0, in steps.
  std::vector<double> earlier_starts(const StepInput& input) const {
    std::vector<double> starts;
    for (const double t : input.history->times) {
      starts.push_back(settings_.spacing == AdamsSpacing::kActual
                           ? (t - input.t0.value) / input.h.value
                           : -static_cast<double>(starts.size() + 1));
    }
    return starts;
  }

  StepOutput implicit_step(VectorField& field,
                           const StepInput& input,
                           const State& y0,
                           const State& f0) const {
    const std::vector<double> earlier = earlier_starts(input);
    // The increment y1 - y0: predicted, then iterated.
    State increment = extrapolated({}, input, f0, bashforth_weights(0, 1, earlier));
    std::vector<double> weights = moulton_weights(0, 1, earlier);
    const double end_weight = weights.front();
    weights.erase(weights.begin());
    const State known = extrapolated({}, input, f0, weights);

    StepOutput out;
    out.is_unconverged = true;
    const bool by_sample = settings_.convergence == AdamsConvergence::kSample && has_batch_axis(y0);
    Tensor open;  // rows that still move, [B]; undefined: all
    for (int i = 0; i < settings_.max_iterations && out.is_unconverged; ++i) {
      const State f = field.evaluate(input.t1, sum(y0, increment));
      State next;
      for (std::size_t k = 0; k < f.size(); ++k) {
        next.push_back(combine(known[k], input.h, {end_weight}, {f[k]}));
      }
      const Tensor moves = moving_rows(increment, next, by_sample);
      if (by_sample && open.defined()) {
        for (std::size_t k = 0; k < next.size(); ++k) {
          next[k] = at::where(column(open, next[k]), next[k], increment[k]);
        }
        open = open.logical_and(moves);
      } else {
        open = moves;
      }
      increment = std::move(next);
      out.is_unconverged = open.any().item<bool>();
    }
    out.y1 = sum(y0, increment);
    // Fewer points make the next steps more stable. This concerns the whole batch, so it is left
    // out where samples must not see each other.
    if (out.is_unconverged && !by_sample) {
      out.history_kept = static_cast<int>(earlier.size()) - 1;
    }
    return out;
  }

  static State sum(const State& a, const State& b) {
    State out;
    for (std::size_t k = 0; k < a.size(); ++k) out.push_back(a[k] + b[k]);
    return out;
  }

  static Tensor column(const Tensor& rows, const Tensor& like) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
    shape[0] = rows.size(0);
    return rows.view(shape);
  }

  // The adjoint's state holds gradients of parameters besides: no rows to keep apart.
  static bool has_batch_axis(const State& state) {
    return std::all_of(state.begin(), state.end(), [&](const Tensor& component) {
      return component.dim() > 0 && component.size(0) == state.front().size(0);
    });
  }

  // [B], or [1] for the whole batch: where an increment changed by more than the tolerance (or is
  // not a number).
  Tensor moving_rows(const State& before, const State& after, bool by_sample) const {
    const at::NoGradGuard no_grad;
    Tensor out;
    for (std::size_t k = 0; k < before.size(); ++k) {
      const Tensor scale =
          at::maximum(before[k].abs(), after[k].abs()) * settings_.rtol + settings_.atol;
      const Tensor settled = (after[k] - before[k]).abs() / scale < 1;
      const std::int64_t rows = by_sample ? settled.size(0) : 1;
      const Tensor moves = settled.reshape({rows, -1}).all(1).logical_not();
      out = out.defined() ? out.logical_or(moves) : moves;
    }
    return out;
  }

  AdamsSettings settings_;
  RungeKutta start_;
};

/// What both methods declare, and what of the settings it is.
inline std::vector<ParamSpec> adams_params() {
  return {integer("max_order", "cap of the order: f of at most max_order - 1 points is used")
              .by_default(4)
              .at_least(4)
              .at_most(12),
          choice("spacing",
                 {"actual", "equal"},
                 "weights for the steps as they are, or as if all were equal, as torchdiffeq: "
                 "differs where the last step of a grid is shorter")
              .by_default("actual")};
}

inline AdamsSettings adams_settings(const Params& p, bool is_implicit) {
  return {
      .is_implicit = is_implicit,
      .max_order = static_cast<int>(p.get_integer("max_order")),
      .spacing = p.get_text("spacing") == "equal" ? AdamsSpacing::kEqual : AdamsSpacing::kActual};
}

}  // namespace unmask::kit
