#include "engine/learning_rate.hpp"

#include <cmath>
#include <numbers>

namespace unmask::engine {
namespace {

// Half a cosine from `begin` at part = 0 to `end` at part = 1.
double along_cosine(double begin, double end, double part) {
  return end + 0.5 * (begin - end) * (1.0 + std::cos(std::numbers::pi * part));
}

double step_factor(const TrainingOptions& options, std::int64_t epoch) {
  double factor = 1;
  for (std::size_t i = 0; i < options.milestones.size(); ++i) {
    if (epoch < options.milestones[i]) continue;
    factor *= options.factors.size() == 1 ? options.factors[0] : options.factors[i];
  }
  return factor;
}

double one_cycle(const TrainingOptions& options, double step, double total) {
  const double peak = options.learning_rate;
  const double first = peak / options.cycle_start_divisor;
  const double last = first / options.cycle_final_divisor;
  const double top = options.cycle_rise * total - 1;  // the step of the peak
  if (top > 0 && step <= top) return along_cosine(first, peak, step / top);
  return along_cosine(peak, last, (step - top) / (total - 1 - top));
}

double scheduled(const TrainingOptions& options, std::int64_t step, std::int64_t steps) {
  const auto total = static_cast<double>(options.epochs * steps);
  const auto at = static_cast<double>(step);
  switch (options.schedule) {
    case ScheduleKind::kConstant: break;
    case ScheduleKind::kStep: return options.learning_rate * step_factor(options, step / steps);
    case ScheduleKind::kCosine:
      return options.learning_rate * (0.5 * (1.0 + std::cos(std::numbers::pi * at / total)));
    case ScheduleKind::kOneCycle: return one_cycle(options, at, total);
  }
  return options.learning_rate;
}

}  // namespace

double learning_rate_at(const TrainingOptions& options, std::int64_t step, std::int64_t steps) {
  const std::int64_t warmup = options.warmup_epochs * steps;
  const double rate = scheduled(options, step, steps);
  if (step >= warmup) return rate;
  return rate * (static_cast<double>(step + 1) / static_cast<double>(warmup));
}

}  // namespace unmask::engine
