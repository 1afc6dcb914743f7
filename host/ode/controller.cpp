#include "ode/controller.hpp"

#include <algorithm>
#include <cmath>

namespace unmask::ode {
namespace {

constexpr double kSmallestRatio = 1e-10;

// Through memory: GCC 12 at -O2 drops the rounding of two doubles that lie side by side.
double to_float32(double value) {
  const volatile float rounded = static_cast<float>(value);
  return static_cast<double>(rounded);
}

}  // namespace

Controller::Controller(const DriverOptions& options, int order)
    : options_(options), inverse_order_(1.0 / order) {
  if (!options.legacy_arithmetic) return;
  inverse_order_ = to_float32(inverse_order_);
  options_.safety = to_float32(options_.safety);
  options_.max_growth = to_float32(options_.max_growth);
  options_.min_growth = to_float32(options_.min_growth);
}

bool Controller::accepts(double error_ratio, double h) const {
  if (!needs_error()) return true;
  if (!std::isfinite(error_ratio)) return false;
  return error_ratio <= 1 || h <= options_.min_step;
}

bool Controller::shrinks_most(double error_ratio) const {
  return needs_error() && integral_factor(error_ratio).value == options_.min_growth;
}

Lanes Controller::limited(const Lanes& h) const {
  if (!needs_error()) return h;
  std::vector<double> value = h.value;
  std::vector<double> partial(value.size(), 1.0);
  bool takes_effect = false;
  for (std::size_t lane = 0; lane < value.size(); ++lane) {
    if (value[lane] >= options_.min_step && value[lane] <= options_.max_step) continue;
    value[lane] = std::clamp(value[lane], options_.min_step, options_.max_step);
    partial[lane] = 0;
    takes_effect = true;
  }
  if (!takes_effect) return h;
  if (!h.is_per_sample) return {std::move(value), Tensor(), false};
  return linked(std::move(value), {{&h, std::move(partial)}});
}

Controller::Factor Controller::integral_factor(double ratio) const {
  if (!std::isfinite(ratio)) return {options_.min_growth, {}};
  if (ratio == 0) return {options_.max_growth, {}};
  const double exponent =
      (options_.exponents.size() == 1 ? options_.exponents.front() : 1.0) * inverse_order_;
  const double raw = options_.safety * std::pow(ratio, -exponent);
  const double floor = ratio < 1 ? 1.0 : options_.min_growth;
  if (raw < floor) return {floor, {}};
  if (raw > options_.max_growth) return {options_.max_growth, {}};
  return {raw, {-raw * exponent / ratio, 0, 0}};
}

Controller::Factor Controller::factor(const std::array<double, 3>& ratios, bool accepted) const {
  const std::vector<double>& exponents = options_.exponents;
  if (exponents.size() == 1 || !accepted || ratios[0] == 0) return integral_factor(ratios[0]);
  double raw = options_.safety;
  for (std::size_t i = 0; i < exponents.size(); ++i) {
    raw *= std::pow(std::max(ratios[i], kSmallestRatio), -exponents[i] * inverse_order_);
  }
  if (raw < options_.min_growth) return {options_.min_growth, {}};
  if (raw > options_.max_growth) return {options_.max_growth, {}};
  Factor out{raw, {}};
  for (std::size_t i = 0; i < exponents.size(); ++i) {
    if (ratios[i] > kSmallestRatio)
      out.partial[i] = -raw * exponents[i] * inverse_order_ / ratios[i];
  }
  return out;
}

Lanes Controller::next(const Lanes& h,
                       const Lanes& error_ratio,
                       const std::vector<bool>& accepted) {
  const std::size_t lanes = h.size();
  if (!needs_error()) {
    Lanes out = detached(h);
    if (options_.first_step) out.value.assign(lanes, *options_.first_step);
    return out;
  }
  const std::size_t remembered = options_.exponents.size() - 1;
  while (memory_.size() < remembered) {
    Lanes none = detached(h);
    none.value.assign(lanes, 1.0);
    memory_.push_back(std::move(none));
  }

  std::vector<double> value(lanes);
  std::vector<double> by_h(lanes);
  std::array<std::vector<double>, 3> by_ratio;
  by_ratio.fill(std::vector<double>(lanes, 0.0));
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    std::array<double, 3> ratios{error_ratio.value[lane], 1, 1};
    for (std::size_t i = 0; i < remembered; ++i) ratios[i + 1] = memory_[i].value[lane];
    const Factor f = factor(ratios, accepted[lane]);
    value[lane] = h.value[lane] * f.value;
    by_h[lane] = f.value;
    for (std::size_t i = 0; i < 3; ++i) by_ratio[i][lane] = h.value[lane] * f.partial[i];
  }
  std::vector<Dependence> dependences = {{&h, by_h}, {&error_ratio, by_ratio[0]}};
  for (std::size_t i = 0; i < remembered; ++i) {
    dependences.push_back({&memory_[i], by_ratio[i + 1]});
  }
  Lanes out = limited(linked(std::move(value), dependences));

  for (std::size_t i = remembered; i-- > 0;) {
    const Lanes& newer = i == 0 ? error_ratio : memory_[i - 1];
    std::vector<double> merged(lanes);
    std::vector<double> takes(lanes);
    std::vector<double> keeps(lanes);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      merged[lane] = accepted[lane] ? newer.value[lane] : memory_[i].value[lane];
      takes[lane] = accepted[lane] ? 1 : 0;
      keeps[lane] = accepted[lane] ? 0 : 1;
    }
    memory_[i] = linked(std::move(merged), {{&newer, takes}, {&memory_[i], keeps}});
  }
  return out;
}

void Controller::select(const std::vector<std::int64_t>& index) {
  for (Lanes& ratio : memory_) ratio = ode::select(ratio, index);
}

}  // namespace unmask::ode
