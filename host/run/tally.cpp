#include "run/tally.hpp"

#include <algorithm>

#include "run/progress.hpp"

namespace unmask::run {
namespace {

std::size_t kind_of(const wire::Cell& cell) {
  return static_cast<std::size_t>(cell.kind);
}

}  // namespace

void Tally::start(const RunOutline& outline, double now) {
  outline_ = outline;
  left_ = outline.to_run;
  recorded_left_ = 0;
  recorded_left_s_ = outline.cost_s;
  for (std::size_t k = 0; k < left_.size(); ++k) {
    left_.at(k) -= outline.with_cost.at(k);
    recorded_left_ += outline.with_cost.at(k);
  }
  took_s_ = recorded_s_ = 0;
  start_ = now;
}

void Tally::finished(const wire::Cell& cell, double seconds) {
  if (const double* cost = recorded(cell)) {
    took_s_ += seconds;
    recorded_s_ += *cost;
  }
  Kind& kind = kinds_.at(kind_of(cell));
  kind.seconds += seconds;
  ++kind.count;
  ++done_;
  settle(cell);
}

void Tally::failed(const wire::Cell& cell) {
  ++failed_;
  settle(cell);
}

void Tally::skipped(const wire::Cell& cell) {
  ++skipped_;
  settle(cell);
}

void Tally::again(const wire::Cell& cell) {
  if (outline_.hit > 0) --outline_.hit;
  ++outline_.to_run.at(kind_of(cell));
  if (const double* cost = recorded(cell)) {
    ++recorded_left_;
    recorded_left_s_ += *cost;
  } else {
    ++left_.at(kind_of(cell));
  }
}

const double* Tally::recorded(const wire::Cell& cell) const {
  if (!outline_.costs) return nullptr;
  const auto found = outline_.costs->find(cell.key);
  return found == outline_.costs->end() ? nullptr : &found->second;
}

void Tally::settle(const wire::Cell& cell) {
  if (const double* cost = recorded(cell)) {
    if (recorded_left_ > 0) --recorded_left_;
    recorded_left_s_ = recorded_left_ == 0 ? 0 : std::max(0.0, recorded_left_s_ - *cost);
    return;
  }
  std::size_t& left = left_.at(kind_of(cell));
  if (left > 0) --left;
}

std::string Tally::time_left() const {
  // This machine, or its load, may be another one than then.
  const double pace = recorded_s_ > 0 && took_s_ > 0 ? took_s_ / recorded_s_ : 1;
  double seconds = recorded_left_s_ * pace;
  bool is_lower_bound = false;
  for (std::size_t k = 0; k < kinds_.size(); ++k) {
    if (left_.at(k) == 0) continue;
    if (kinds_.at(k).count == 0) {
      is_lower_bound = true;
    } else {
      seconds += static_cast<double>(left_.at(k)) * kinds_.at(k).seconds /
                 static_cast<double>(kinds_.at(k).count);
    }
  }
  const std::size_t left = left_[0] + left_[1] + left_[2] + recorded_left_;
  if (left == 0 || seconds <= 0) return "";
  const auto width = std::max<std::size_t>(
      1, std::min<std::size_t>(left, static_cast<std::size_t>(std::max(outline_.workers, 1))));
  return (is_lower_bound ? "over " : "about ") +
         duration_text(seconds / static_cast<double>(width));
}

std::string Tally::text(double now) const {
  std::string line = std::to_string(settled()) + "/" + std::to_string(total()) + " cells";
  if (failed_ > 0) line += ", " + std::to_string(failed_) + " failed";
  if (skipped_ > 0) line += ", " + std::to_string(skipped_) + " skipped";
  if (outline_.hit > 0) line += ", " + std::to_string(outline_.hit) + " already stored";
  line += ", " + duration_text(elapsed(now)) + " gone";
  const std::string left = time_left();
  if (!left.empty()) line += ", " + left + " left";
  return line;
}

}  // namespace unmask::run
