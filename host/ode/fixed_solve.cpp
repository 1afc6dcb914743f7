#include "ode/fixed_solve.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include <torch/types.h>

#include "ode/fixed_grid.hpp"

namespace unmask::ode {
namespace {

Lanes one(double value) {
  return {{value}, Tensor(), false};
}

State linear_between(const State& a, const State& b, double position) {
  if (position == 0) return a;
  if (position == 1) return b;
  State out;
  for (std::size_t i = 0; i < a.size(); ++i) {
    out.push_back(combine({}, constant(1), {1 - position, position}, {a[i], b[i]}));
  }
  return out;
}

// Newest first, at most `limit` entries.
void remember(History& history, double t, const State& f, std::size_t limit) {
  history.times.insert(history.times.begin(), t);
  history.derivatives.insert(history.derivatives.begin(), f);
  history.times.resize(std::min(history.times.size(), limit));
  history.derivatives.resize(std::min(history.derivatives.size(), limit));
}

}  // namespace

// Long: one pass over the grid, whose parts share the state, its derivative and the history.
SolveResult solve_fixed(Stepper& stepper,
                        const State& y0,
                        const State& f0,
                        const std::vector<double>& times,
                        bool keep_dense) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point began = Clock::now();
  const DriverOptions& options = stepper.options();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto history_limit = static_cast<std::size_t>(stepper.traits().history);
  SolveResult result;
  const std::vector<double> grid = fixed_grid(times, options.step_size);
  const double direction = times.back() > times.front() ? 1 : -1;
  result.outputs.push_back(y0);
  result.time_reached = times.back();
  State y = y0;
  State f = f0;
  History history;
  for (std::size_t i = 0; i + 1 < grid.size(); ++i) {
    const double t0 = grid[i];
    const double t1 = grid[i + 1];
    if (options.time_limit &&
        std::chrono::duration<double>(Clock::now() - began).count() > *options.time_limit) {
      result.status = SolveStatus::kTimeLimit;
    }
    if (result.status == SolveStatus::kOk && f.empty()) f = stepper.evaluate(one(t0), y);
    AttemptRequest request;
    request.t0 = one(t0);
    request.h = one(t1 - t0);
    request.t1 = one(t1);
    request.y = y;
    request.f = f;
    if (history_limit > 0) request.history = &history;
    AttemptResult step;
    if (result.status == SolveStatus::kOk) {
      step = stepper.attempt(request);
      if (!step.failure.empty()) {
        result.failure = step.failure;
        result.status = SolveStatus::kStepFailed;
      }
    }
    if (result.status != SolveStatus::kOk) {
      result.time_reached = t0;
      result.state = std::move(y);
      return result;
    }
    stepper.statistics().record({t0, t1 - t0, nan, true}, options.log_limit);
    if (step.is_unconverged) ++stepper.statistics().unconverged;
    if (history_limit > 0) {
      const auto kept = static_cast<std::size_t>(std::max(step.history_kept, 0));
      history.times.resize(std::min(history.times.size(), kept));
      history.derivatives.resize(std::min(history.derivatives.size(), kept));
      remember(history, t0, f, history_limit);
    }
    while (result.outputs.size() < times.size() &&
           direction * (t1 - times[result.outputs.size()]) >= 0) {
      const double t = times[result.outputs.size()];
      result.outputs.push_back(linear_between(y, step.y1, t == t1 ? 1 : (t - t0) / (t1 - t0)));
    }
    if (keep_dense) {
      result.dense.push_back(
          {request.t0, request.h, request.t1, std::move(y), f, step.y1, step.f1, {}});
    }
    y = std::move(step.y1);
    f = std::move(step.f1);
  }
  for (std::size_t i = 0; i < result.dense.size(); ++i) {
    DenseStep& step = result.dense[i];
    if (!step.f1.empty()) continue;
    step.f1 = i + 1 < result.dense.size() ? result.dense[i + 1].f0
                                          : stepper.evaluate(one(grid.back()), step.y1);
  }
  result.state = result.outputs.back();
  return result;
}

}  // namespace unmask::ode
