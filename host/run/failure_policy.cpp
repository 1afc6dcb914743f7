#include "run/failure_policy.hpp"

namespace unmask::run {

using wire::FailureClass;

FailurePolicy::FailurePolicy(const std::vector<wire::Cell>& plan,
                             const StoredCells& stored,
                             const FailureOptions& options)
    : options_(options), quarantine_(plan) {
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (stored.contains(plan[i].key)) quarantine_.finished(i);
  }
}

std::optional<Wish> FailurePolicy::failed(std::size_t cell, FailureClass failure_class) {
  const int times = ++failures_[{cell, failure_class}];
  if (times > wire::retries_of(failure_class, options_.retries)) return std::nullopt;
  return wire::rule_of(failure_class).retries_alone ? Wish::kAlone : Wish::kFreshWorker;
}

std::optional<std::string> FailurePolicy::gave_up(std::size_t cell, FailureClass failure_class) {
  ++given_up_;
  quarantine_.gave_up(cell);
  if (failure_class != FailureClass::kCrash) return std::nullopt;
  return quarantine_.crashed(cell, failures_[{cell, failure_class}]);
}

std::string FailurePolicy::enough_text() const {
  return (given_up_ == 1 ? "a cell failed" : std::to_string(given_up_) + " cells failed") +
         std::string(": no further cell begins");
}

}  // namespace unmask::run
