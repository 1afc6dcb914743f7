#include "ode/session.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "base/counted.hpp"
#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

std::string failure_text(const SolveRecord& record, const SolveResult& result) {
  std::ostringstream text;
  const auto failed = std::count_if(result.sample_status.begin(),
                                    result.sample_status.end(),
                                    [](SolveStatus s) { return s != SolveStatus::kOk; });
  text << "solve \"" << record.name << "\" ended with " << to_string(record.status);
  if (failed > 0) text << " for " << failed << " of " << result.sample_status.size() << " samples";
  text << " at t = " << record.time_reached << " on the way from " << record.t0 << " to "
       << record.t1 << " (" << base::counted(record.statistics.accepted, "step") << " accepted, "
       << record.statistics.rejected << " rejected, "
       << base::counted(record.statistics.nfe, "evaluation");
  if (!record.statistics.log.empty()) {
    const Attempt& last = record.statistics.log.back();
    text << "; last logged attempt: h = " << last.h << ", error ratio " << last.error_ratio;
  }
  text << "): " << (result.failure.empty() ? "" : result.failure + "; ") << hint(record.status);
  return text.str();
}

}  // namespace

Session::Session(std::shared_ptr<Method> method, DriverOptions options)
    : method_(std::move(method)), options_(std::move(options)) {
  UNMASK_CHECK(method_ != nullptr, "a session needs a method");
  check_options(options_, method_->traits());
}

Session::~Session() = default;

State Session::integrate(std::string_view name,
                         const std::shared_ptr<VectorField>& field,
                         const State& y0,
                         double t0,
                         double t1) {
  SolveResult result;
  try {
    result = solve(method_, options_for(name), field, y0, {t0, t1});
  } catch (Error& error) {
    error.add_context("solve \"" + std::string(name) + "\"");
    throw;
  }
  SolveRecord& record = solves_.emplace_back(SolveRecord{std::string(name),
                                                         result.status,
                                                         t0,
                                                         t1,
                                                         result.time_reached,
                                                         std::move(result.statistics),
                                                         result.backward});
  if (record.status != SolveStatus::kOk) throw NumericError(failure_text(record, result));
  if (is_recording_) book_.insert_or_assign(std::string(name), std::move(result.schedule));
  return std::move(result.state);
}

bool Session::is_replaying() const {
  return options_.is_adaptive && options_.controller == ControllerKind::kReplay;
}

bool Session::can_be_recorded() const {
  if (options_.gradient != GradientMode::kDirect || options_.time_limit ||
      method_->traits().is_implicit) {
    return false;
  }
  // Schedules of single samples are tensors that come from the host.
  return !options_.is_adaptive || (is_replaying() && options_.control == Control::kBatch);
}

void Session::record_schedules() {
  is_recording_ = true;
  book_.clear();
}

void Session::set_schedules(ScheduleBook book) {
  is_recording_ = false;
  book_ = std::move(book);
}

DriverOptions Session::options_for(std::string_view name) const {
  DriverOptions options = options_;
  if (!is_replaying()) return options;
  if (is_recording_) {
    options.controller = ControllerKind::kIntegral;
    options.exponents = {1};
    return options;
  }
  const auto found = book_.find(name);
  if (found == book_.end()) {
    throw NumericError(
        "no schedule of this solve has been recorded; controller \"replay\" is for solvers whose "
        "gradient is taken, where the clean batch gives the schedules");
  }
  options.schedule = std::make_shared<const Schedule>(found->second);
  return options;
}

}  // namespace unmask::ode
