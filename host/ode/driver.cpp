#include "ode/driver.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

#include <torch/types.h>

#include "ode/adaptive_solve.hpp"
#include "ode/adjoint.hpp"
#include "ode/counted_field.hpp"
#include "ode/fixed_solve.hpp"
#include "ode/recompute.hpp"
#include "ode/stepper.hpp"
#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

void check_state(const State& y0) {
  if (y0.empty()) throw NumericError("the initial state has no tensors");
  for (std::size_t i = 0; i < y0.size(); ++i) {
    const std::string component = "component " + std::to_string(i) + " of the initial state ";
    const Tensor& y = y0[i];
    if (!y.defined()) throw NumericError(component + "is undefined");
    std::ostringstream text;
    if (y.scalar_type() != at::kFloat && y.scalar_type() != at::kDouble) {
      text << component << "has dtype " << y.scalar_type() << "; a state is float32 or float64";
    } else if (y.dim() == 0 || y.numel() == 0) {
      text << component << "has shape " << y.sizes()
           << "; a state needs a batch axis and at least one element";
    } else if (y.device() != y0.front().device()) {
      text << component << "lies on " << y.device() << ", component 0 on " << y0.front().device()
           << "; all must lie on one device";
    } else if (y.scalar_type() != y0.front().scalar_type()) {
      text << component << "has dtype " << y.scalar_type() << ", component 0 has "
           << y0.front().scalar_type() << "; all must have one dtype";
    } else if (y.size(0) != y0.front().size(0)) {
      text << component << "has batch size " << y.size(0) << ", component 0 has "
           << y0.front().size(0) << "; axis 0 is the common batch axis";
    }
    if (!text.str().empty()) throw NumericError(text.str());
  }
}

void check_times(const std::vector<double>& times) {
  if (times.size() < 2) throw NumericError("a solve needs a start and an end time");
  const bool forwards = times[1] > times[0];
  for (std::size_t i = 0; i < times.size(); ++i) {
    const bool in_order = i == 0 || (forwards ? times[i] > times[i - 1] : times[i] < times[i - 1]);
    if (!std::isfinite(times[i]) || !in_order) {
      std::ostringstream text;
      text << "times must be finite and strictly increasing or strictly decreasing, but entry " << i
           << " is " << times[i];
      if (i > 0) text << " after " << times[i - 1];
      throw NumericError(text.str());
    }
  }
}

void check_schedule(const DriverOptions& options,
                    const State& y0,
                    const std::vector<double>& times) {
  const Schedule& schedule = *options.schedule;
  std::ostringstream text;
  if (times.size() != 2 || schedule.t0 != times.front() || schedule.t1 != times.back()) {
    text << "the schedule to be replayed leads from t = " << schedule.t0 << " to " << schedule.t1
         << ", this solve from " << times.front() << " to " << times.back();
  } else if (schedule.control != options.control || schedule.end != options.end) {
    text << "the schedule to be replayed was recorded under another control or end rule";
  } else if (options.control == Control::kSample &&
             static_cast<std::int64_t>(schedule.lanes.size()) != y0.front().size(0)) {
    text << "the schedule to be replayed has steps of " << schedule.lanes.size()
         << " samples, the batch has " << y0.front().size(0);
  }
  if (!text.str().empty()) throw NumericError(text.str() + "; record it for this solve");
}

SolveResult run(const Equation& equation,
                const DriverOptions& options,
                const State& y0,
                const State& f0,
                const std::vector<double>& times,
                bool keep_dense,
                Statistics& statistics,
                const std::shared_ptr<Statistics>& backward) {
  Stepper stepper(equation, options, statistics, backward);
  return options.is_adaptive ? solve_adaptive(stepper, y0, f0, times, keep_dense)
                             : solve_fixed(stepper, y0, f0, times, keep_dense);
}

bool makes_its_own_graph(GradientMode mode) {
  return mode == GradientMode::kDirect || mode == GradientMode::kCheckpoint;
}

// The forward solve without a graph, and a pullback that belongs to it as a whole.
SolveResult solve_with_pullback(const Equation& equation,
                                const DriverOptions& options,
                                const State& y0,
                                const std::vector<double>& times,
                                Statistics& statistics,
                                const std::shared_ptr<Statistics>& backward) {
  // f(t0, y0), which the solve needs anyway, shows what the field captures.
  CountedField counted(*equation.field, statistics);
  const bool is_per_sample = options.is_adaptive && options.control == Control::kSample;
  const auto rows = static_cast<std::size_t>(is_per_sample ? y0.front().size(0) : 1);
  const Lanes start{std::vector<double>(rows, times.front()), Tensor(), is_per_sample};
  FieldProbe probe = probe_field(counted, to_scalar(start, y0.front()), y0);
  const MethodTraits traits = equation.method->traits();
  const bool keeps_samples_apart = is_per_sample || (traits.is_implicit && traits.history == 0);
  if (options.gradient != GradientMode::kReplay && keeps_samples_apart &&
      !probe.captures.edges.empty()) {
    throw NumericError(
        std::string("the adjoint ") +
        (is_per_sample ? "under control: sample" : "of a method that solves equations per sample") +
        " has no gradients of what the field captures (trainable parameters, or tensors made from "
        "the input); use gradient checkpoint or direct" +
        (is_per_sample ? ", or control: batch" : ""));
  }
  SolveResult result;
  {
    const at::NoGradGuard no_grad;
    State detached;
    for (const Tensor& component : y0) detached.push_back(component.detach());
    result = run(equation,
                 options,
                 detached,
                 probe.value,
                 times,
                 options.gradient == GradientMode::kInterpolated,
                 statistics,
                 backward);
  }
  if (result.status != SolveStatus::kOk) return result;
  Pullback pullback;
  if (options.gradient == GradientMode::kReplay) {
    DriverOptions replay = options;
    replay.gradient = GradientMode::kDirect;
    replay.controller = ControllerKind::kReplay;
    replay.schedule = std::make_shared<const Schedule>(result.schedule);
    pullback = recomputing(
        probe.captures, [equation, replay, times, backward](const std::vector<Tensor>& inputs) {
          Statistics again;
          const SolveResult repeated =
              run(equation, replay, inputs, {}, times, false, again, backward);
          backward->nfe += again.nfe;
          std::vector<Tensor> out;
          for (std::size_t k = 1; k < repeated.outputs.size(); ++k) {
            out.insert(out.end(), repeated.outputs[k].begin(), repeated.outputs[k].end());
          }
          return out;
        });
  } else {
    pullback = adjoint_pullback(equation, options, result, probe.captures, times, backward);
  }
  result.dense.clear();

  std::vector<Tensor> outputs;
  for (std::size_t k = 1; k < result.outputs.size(); ++k) {
    outputs.insert(outputs.end(), result.outputs[k].begin(), result.outputs[k].end());
  }
  attach(outputs, y0, probe.captures, std::move(pullback));
  std::size_t next = 0;
  for (std::size_t k = 1; k < result.outputs.size(); ++k) {
    for (Tensor& component : result.outputs[k]) component = outputs[next++];
  }
  result.outputs.front() = y0;
  result.state = result.outputs.back();
  return result;
}

}  // namespace

SolveResult solve(const std::shared_ptr<Method>& method,
                  const DriverOptions& options,
                  const std::shared_ptr<VectorField>& field,
                  const State& y0,
                  const std::vector<double>& times) {
  check_options(options, method->traits());
  check_state(y0);
  check_times(times);
  const bool is_replaying = options.is_adaptive && options.controller == ControllerKind::kReplay;
  if (is_replaying) {
    if (options.schedule == nullptr) {
      throw NumericError("controller \"replay\" needs a schedule of this solve, and has none");
    }
    check_schedule(options, y0, times);
  }
  const Equation equation{method, field};
  Statistics statistics;
  const auto backward = std::make_shared<Statistics>();
  SolveResult result = at::GradMode::is_enabled() && !makes_its_own_graph(options.gradient)
                           ? solve_with_pullback(equation, options, y0, times, statistics, backward)
                           : run(equation, options, y0, {}, times, false, statistics, backward);
  result.statistics = std::move(statistics);
  result.backward = backward;
  return result;
}

SolveResult solve(Method& method,
                  const DriverOptions& options,
                  VectorField& field,
                  const State& y0,
                  const std::vector<double>& times) {
  return solve(std::shared_ptr<Method>(&method, [](Method*) {}),
               options,
               std::shared_ptr<VectorField>(&field, [](VectorField*) {}),
               y0,
               times);
}

}  // namespace unmask::ode
