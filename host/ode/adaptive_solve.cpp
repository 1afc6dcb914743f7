#include "ode/adaptive_solve.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include <torch/types.h>

#include "ode/controller.hpp"
#include "ode/gradient_rule.hpp"
#include "ode/norms.hpp"
#include "ode/rows.hpp"
#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

using Clock = std::chrono::steady_clock;

class AdaptiveSolve {
 public:
  AdaptiveSolve(Stepper& stepper,
                const State& y0,
                const State& f0,
                const std::vector<double>& times,
                bool keep_dense)
      : stepper_(stepper),
        options_(stepper.options()),
        controller_(options_,
                    options_.controller_order > 0 ? options_.controller_order
                                                  : stepper.traits().controller_order),
        rule_(options_.step_gradient, at::GradMode::is_enabled()),
        times_(times),
        direction_(times.back() > times.front() ? 1 : -1),
        is_per_sample_(options_.control == Control::kSample),
        keep_dense_(keep_dense),
        lane_count_(is_per_sample_ ? static_cast<std::size_t>(y0.front().size(0)) : 1),
        began_(Clock::now()),
        y_(y0),
        f_(f0) {
    t_ = {std::vector<double>(lane_count_, times.front()), Tensor(), is_per_sample_};
    lanes_.resize(lane_count_);
    std::iota(lanes_.begin(), lanes_.end(), 0);
    running_.assign(lane_count_, true);
    held_.assign(lane_count_, false);
    next_output_.assign(lane_count_, 1);
    status_.assign(lane_count_, SolveStatus::kOk);
    reached_.assign(lane_count_, times.front());
    attempts_.assign(lane_count_, 0);
    outputs_.resize(times.size());
    result_.schedule = {options_.control, options_.end, times.front(), times.back(), {}};
    result_.schedule.lanes.resize(lane_count_);
  }

  AdaptiveSolve(const AdaptiveSolve&) = delete;
  AdaptiveSolve& operator=(const AdaptiveSolve&) = delete;

  SolveResult run() {
    outputs_.front().add(lanes_, y_);
    start();
    while (any(running_)) {
      attempt();
      compact();
    }
    finish();
    return std::move(result_);
  }

 private:
  bool is_replaying() const { return options_.controller == ControllerKind::kReplay; }

  void start() {
    if (f_.empty()) f_ = stepper_.evaluate(t_, y_);
    h_ = t_;
    if (is_replaying()) return;
    if (options_.first_step) {
      h_.value.assign(lane_count_, *options_.first_step);
      return;
    }
    InitialStep first =
        stepper_.first_step(times_.front(), direction_, y_, f_, rule_.differentiates_first_step());
    h_ = std::move(first.h);
    for (std::size_t lane = 0; lane < lane_count_; ++lane) {
      if (first.status[lane] != SolveStatus::kOk) fail(lane, first.status[lane]);
    }
    collect_partial();
  }

  double target(std::size_t lane) const { return times_[next_output_[lane]]; }

  // The nearest time ahead at which a step of the lane must end.
  std::optional<double> next_stop(std::size_t lane) const {
    std::optional<double> nearest;
    if (options_.end == EndRule::kClamp) nearest = target(lane);
    for (const double stop : options_.step_ends) {
      if (direction_ * (stop - t_.value[lane]) <= 0) continue;
      if (!nearest || direction_ * (stop - *nearest) < 0) nearest = stop;
    }
    return nearest;
  }

  std::size_t original(std::size_t lane) const { return static_cast<std::size_t>(lanes_[lane]); }

  void fail(std::size_t lane, SolveStatus status) {
    running_[lane] = false;
    status_[original(lane)] = status;
    reached_[original(lane)] = t_.value[lane];
    partial_.push_back(static_cast<std::int64_t>(lane));
  }

  // Rows of lanes that have failed since the last call go where the state at the end is put
  // together.
  void collect_partial() {
    if (partial_.empty()) return;
    std::vector<std::int64_t> ids;
    for (const std::int64_t lane : partial_) ids.push_back(lanes_[static_cast<std::size_t>(lane)]);
    final_.add(ids, is_per_sample_ ? rows_of(y_, partial_) : y_);
    partial_.clear();
  }

  // Signed sizes and ends of the coming attempt.
  struct Sizes {
    Lanes h;
    Lanes t1;
  };

  Sizes replayed_sizes() const {
    Sizes out{t_, t_};
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      out.h.value[lane] = 0;
      if (!running_[lane]) continue;
      const LaneSchedule& steps = options_.schedule->lanes[original(lane)];
      const std::size_t k = attempts_[original(lane)];
      UNMASK_CHECK(k < steps.steps(), "a schedule reaches the end of its solve");
      out.h.value[lane] = steps.size[k];
      out.t1.value[lane] = steps.end[k];
    }
    return out;
  }

  Sizes proposed_sizes() const {
    const Lanes h = controller_.limited(h_);
    const std::size_t lanes = lanes_.size();
    std::vector<double> size(lanes);
    std::vector<double> size_by_h(lanes);
    std::vector<double> size_by_t(lanes, 0.0);
    std::vector<double> end(lanes);
    std::vector<double> end_by_t(lanes);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const double t = t_.value[lane];
      if (!running_[lane] || held_[lane]) {
        size[lane] = size_by_h[lane] = 0;
        end[lane] = t;
        end_by_t[lane] = 1;
      } else if (const auto stop = next_stop(lane);
                 stop && reaches(t, direction_ * h.value[lane], *stop)) {
        size[lane] = *stop - t;
        size_by_h[lane] = 0;
        size_by_t[lane] = -1;
        end[lane] = *stop;
        end_by_t[lane] = 0;
      } else {
        size[lane] = direction_ * h.value[lane];
        size_by_h[lane] = direction_;
        end[lane] = t + size[lane];
        end_by_t[lane] = 1;
      }
    }
    return {linked(std::move(size), {{&h, size_by_h}, {&t_, size_by_t}}),
            linked(std::move(end), {{&h, size_by_h}, {&t_, end_by_t}})};
  }

  // Lanes that may not go on.
  void check_limits(const Sizes& sizes) {
    const bool is_late =
        options_.time_limit &&
        std::chrono::duration<double>(Clock::now() - began_).count() > *options_.time_limit;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      if (!running_[lane]) continue;
      if (attempts_[original(lane)] >= static_cast<std::size_t>(options_.max_attempts)) {
        fail(lane, SolveStatus::kMaxAttempts);
      } else if (is_late) {
        fail(lane, SolveStatus::kTimeLimit);
      } else if (!held_[lane] &&
                 (sizes.t1.value[lane] == t_.value[lane] || !std::isfinite(sizes.t1.value[lane]))) {
        fail(lane, SolveStatus::kStepUnderflow);
      }
    }
    collect_partial();
  }

  void attempt() {
    Sizes sizes = is_replaying() ? replayed_sizes() : proposed_sizes();
    check_limits(sizes);
    if (!any(running_)) return;
    if (is_per_sample_ && !is_replaying()) sizes = proposed_sizes();  // failed lanes stand still
    // Methods whose last stage is not f at the end of the step get it when, and only if, it is
    // needed.
    if (f_.empty()) f_ = stepper_.evaluate(t_, y_);

    const std::size_t lanes = lanes_.size();
    std::vector<bool> passes(lanes);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      passes[lane] =
          running_[lane] && !held_[lane] && direction_ * (target(lane) - sizes.t1.value[lane]) <= 0;
    }
    AttemptRequest request;
    request.t0 = t_;
    request.h = sizes.h;
    request.t1 = sizes.t1;
    request.y = y_;
    request.f = f_;
    request.wants_error = controller_.needs_error();
    request.differentiates_error = rule_.differentiates_updates();
    request.wants_middle = keep_dense_ || (options_.end == EndRule::kInterpolate && any(passes));
    AttemptResult step = stepper_.attempt(request);
    if (!step.failure.empty()) {
      result_.failure = step.failure;
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        if (running_[lane]) fail(lane, SolveStatus::kStepFailed);
      }
      collect_partial();
      return;
    }
    decide(request, step, passes);
  }

  void decide(const AttemptRequest& request, AttemptResult& step, std::vector<bool> passes) {
    const std::size_t lanes = lanes_.size();
    std::vector<bool> tried(lanes);
    std::vector<bool> accepted(lanes, false);
    std::vector<bool> broken(lanes, false);
    std::vector<bool> wild(lanes, false);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      tried[lane] = running_[lane] && !held_[lane];
      if (!tried[lane]) continue;
      const double ratio = step.ratio.value[lane];
      accepted[lane] = controller_.accepts(ratio, std::abs(request.h.value[lane]));
      broken[lane] = controller_.needs_error() && !std::isfinite(ratio);
      wild[lane] = !accepted[lane] && controller_.shrinks_most(ratio);
      if (!accepted[lane]) passes[lane] = false;
    }
    // The graph of a step holds all samples. Where a rejected one is not finite, or so far off that
    // its derivatives may overflow, the zero that goes back to it would become NaN: the sample
    // stands aside, and the others try again.
    const bool others_repeat = is_per_sample_ && at::GradMode::is_enabled() && any(wild);
    if (others_repeat) tried = wild;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      if (!tried[lane]) continue;
      ++attempts_[original(lane)];
      stepper_.statistics().record({t_.value[lane],
                                    request.h.value[lane],
                                    step.ratio.value[lane],
                                    accepted[lane],
                                    is_per_sample_ ? lanes_[lane] : -1},
                                   options_.log_limit);
    }
    if (any(broken)) fail_hopeless(broken, request, step);

    const Lanes size = rule_.for_update(scaled(direction_, request.h));
    if (others_repeat) {
      const Lanes ratio = detached(step.ratio);
      h_ = choose(wild, controller_.next(size, ratio, std::vector<bool>(lanes)), h_);
      for (std::size_t lane = 0; lane < lanes; ++lane) held_[lane] = held_[lane] || wild[lane];
      bool somebody_moves = false;
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        somebody_moves = somebody_moves || (running_[lane] && !held_[lane]);
      }
      if (!somebody_moves) held_.assign(lanes, false);
      return;
    }
    Lanes next = controller_.next(size, step.ratio, accepted);
    h_ = is_per_sample_ ? choose(tried, next, h_) : std::move(next);
    held_.assign(lanes, false);
    if (any(accepted)) advance(request, step, accepted, passes);
  }

  // A lane whose step is not finite tries a shorter one, unless nothing can help it.
  void fail_hopeless(const std::vector<bool>& broken,
                     const AttemptRequest& request,
                     const AttemptResult& step) {
    Statistics& statistics = stepper_.statistics();
    const std::vector<bool> state = finite_lanes(y_, is_per_sample_, statistics);
    const std::vector<bool> field = finite_lanes(f_, is_per_sample_, statistics);
    for (std::size_t lane = 0; lane < broken.size(); ++lane) {
      if (!broken[lane]) continue;
      if (!state[lane]) {
        fail(lane, SolveStatus::kNonFiniteState);
      } else if (!field[lane]) {
        fail(lane, SolveStatus::kNonFiniteField);
      } else if (std::abs(request.h.value[lane]) <= options_.min_step) {
        // The step may not become shorter: say what broke in it.
        fail(
            lane,
            step.stages_finite[lane] ? SolveStatus::kNonFiniteState : SolveStatus::kNonFiniteField);
      }
    }
    collect_partial();
  }

  void advance(const AttemptRequest& request,
               AttemptResult& step,
               const std::vector<bool>& accepted,
               const std::vector<bool>& passes) {
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      if (!accepted[lane]) continue;
      LaneSchedule& schedule = result_.schedule.lanes[original(lane)];
      schedule.begin.push_back(request.t0.value[lane]);
      schedule.size.push_back(request.h.value[lane]);
      schedule.end.push_back(request.t1.value[lane]);
    }
    DenseStep dense;
    const bool wants_dense = keep_dense_ || (options_.end == EndRule::kInterpolate && any(passes));
    if (wants_dense) {
      dense = {
          request.t0, request.h, request.t1, request.y, request.f, step.y1, step.f1, step.middle};
    }
    const bool all = std::find(accepted.begin(), accepted.end(), false) == accepted.end();
    if (all) {
      t_ = request.t1;
      y_ = std::move(step.y1);
      f_ = std::move(step.f1);
    } else {
      t_ = choose(accepted, request.t1, t_);
      y_ = choose(accepted, step.y1, y_);
      f_ = step.f1.empty() ? State{} : choose(accepted, step.f1, f_);
    }
    if (any(passes)) write_outputs(dense, passes);
    if (keep_dense_) result_.dense.push_back(std::move(dense));
  }

  void write_outputs(DenseStep& dense, std::vector<bool> passes) {
    if (options_.end == EndRule::kInterpolate && dense.f1.empty()) {
      if (f_.empty()) f_ = stepper_.evaluate(t_, y_);
      dense.f1 = f_;
    }
    // A step may pass several times.
    while (any(passes)) {
      std::vector<std::int64_t> at;
      std::vector<std::int64_t> ids;
      std::vector<double> times;
      for (const std::int64_t lane : positions(passes)) {
        at.push_back(lane);
        ids.push_back(lanes_[static_cast<std::size_t>(lane)]);
        times.push_back(target(static_cast<std::size_t>(lane)));
      }
      const State rows = output_rows(dense, at, times);
      // Lanes may stand at different output times.
      for (std::size_t k = 1; k < outputs_.size(); ++k) add_output(k, at, ids, rows);
      for (const std::int64_t position : at) {
        const auto lane = static_cast<std::size_t>(position);
        ++next_output_[lane];
        if (next_output_[lane] == times_.size()) {
          running_[lane] = false;
          reached_[original(lane)] = times_.back();
        }
        passes[lane] = running_[lane] && direction_ * (target(lane) - t_.value[lane]) <= 0;
      }
    }
  }

  State output_rows(const DenseStep& dense,
                    const std::vector<std::int64_t>& at,
                    const std::vector<double>& times) const {
    const bool all = at.size() == lanes_.size();
    if (options_.end == EndRule::kClamp) return all ? y_ : rows_of(y_, at);
    if (all) return interpolate(dense, times);
    return interpolate({select(dense.t0, at),
                        select(dense.h, at),
                        select(dense.t1, at),
                        rows_of(dense.y0, at),
                        rows_of(dense.f0, at),
                        rows_of(dense.y1, at),
                        rows_of(dense.f1, at),
                        rows_of(dense.middle, at)},
                       times);
  }

  // The rows that stand at output k.
  void add_output(std::size_t k,
                  const std::vector<std::int64_t>& at,
                  const std::vector<std::int64_t>& ids,
                  const State& rows) {
    std::vector<std::int64_t> which;
    std::vector<std::int64_t> to;
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (next_output_[static_cast<std::size_t>(at[i])] != k) continue;
      which.push_back(static_cast<std::int64_t>(i));
      to.push_back(ids[i]);
    }
    if (which.empty()) return;
    State part = which.size() == at.size() ? rows : rows_of(rows, which);
    if (k + 1 == outputs_.size()) final_.add(to, part);
    outputs_[k].add(to, std::move(part));
  }

  // Let go of samples that have arrived, once they are an eighth of the rows.
  void compact() {
    if (!is_per_sample_ || !any(running_)) return;
    const std::vector<std::int64_t> keep = positions(running_);
    if (8 * (lanes_.size() - keep.size()) < lanes_.size()) return;
    const auto kept = [&](const auto& values) {
      auto out = values;
      out.clear();
      for (const std::int64_t lane : keep) out.push_back(values[static_cast<std::size_t>(lane)]);
      return out;
    };
    y_ = rows_of(y_, keep);
    f_ = rows_of(f_, keep);
    t_ = select(t_, keep);
    h_ = select(h_, keep);
    controller_.select(keep);
    lanes_ = kept(lanes_);
    held_ = kept(held_);
    next_output_ = kept(next_output_);
    running_.assign(keep.size(), true);
  }

  void finish() {
    for (const Assembly& output : outputs_) {
      if (output.size() < lane_count_) break;
      result_.outputs.push_back(output.state());
    }
    result_.status = *std::max_element(status_.begin(), status_.end());
    if (result_.status == SolveStatus::kOk) {
      result_.time_reached = times_.back();
      result_.state = result_.outputs.back();
    } else {
      result_.time_reached = times_.back();
      for (std::size_t lane = 0; lane < lane_count_; ++lane) {
        if (direction_ * (result_.time_reached - reached_[lane]) > 0) {
          result_.time_reached = reached_[lane];
        }
      }
      result_.state = final_.state();
    }
    if (is_per_sample_) result_.sample_status = status_;
    for (std::size_t i = 0; i < result_.dense.size(); ++i) {
      DenseStep& step = result_.dense[i];
      if (!step.f1.empty()) continue;
      if (i + 1 < result_.dense.size()) {
        step.f1 = result_.dense[i + 1].f0;
      } else {
        if (f_.empty()) f_ = stepper_.evaluate(t_, y_);
        step.f1 = f_;
      }
    }
  }

  Stepper& stepper_;
  const DriverOptions& options_;
  SolveResult result_;
  Controller controller_;
  GradientRule rule_;
  const std::vector<double>& times_;
  double direction_;
  bool is_per_sample_;
  bool keep_dense_;
  std::size_t lane_count_;
  Clock::time_point began_;

  // Rows that still take part, in the order of the batch. All of the following have one entry each.
  std::vector<std::int64_t> lanes_;  ///< their positions in the batch
  std::vector<bool> running_;
  std::vector<bool> held_;  ///< stands still for one attempt
  std::vector<std::size_t> next_output_;
  Lanes t_;
  Lanes h_;  ///< sizes of the next attempts, without sign
  State y_;
  State f_;  ///< f(t, y); empty until it is needed when the method does not give it

  // By position in the batch.
  std::vector<SolveStatus> status_;
  std::vector<double> reached_;
  std::vector<std::size_t> attempts_;

  std::vector<std::int64_t> partial_;  ///< lanes that have failed, not collected yet
  std::vector<Assembly> outputs_;
  Assembly final_;  ///< the last output, or where a lane failed
};

}  // namespace

SolveResult solve_adaptive(Stepper& stepper,
                           const State& y0,
                           const State& f0,
                           const std::vector<double>& times,
                           bool keep_dense) {
  return AdaptiveSolve(stepper, y0, f0, times, keep_dense).run();
}

}  // namespace unmask::ode
