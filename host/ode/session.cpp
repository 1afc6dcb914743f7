#include "ode/session.hpp"

#include <sstream>
#include <utility>

#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

const char* hint(SolveStatus status) {
  switch (status) {
    case SolveStatus::kOk: return "";
    case SolveStatus::kMaxAttempts: return "raise max_attempts, or loosen rtol and atol";
    case SolveStatus::kStepUnderflow:
      return "the field is too steep, jumps, or is not finite beyond this time; set min_step, "
             "loosen rtol and "
             "atol, or use fixed steps";
    case SolveStatus::kNonFiniteState:
      return "look for overflow in the layers before the block, or for weights that are not finite";
    case SolveStatus::kNonFiniteField:
      return "look for weights that are not finite, or for divisions by zero in the field";
  }
  return "";
}

std::string failure_text(const SolveRecord& record) {
  std::ostringstream text;
  text << "solve \"" << record.name << "\" ended with " << to_string(record.status)
       << " at t = " << record.time_reached << " on the way from " << record.t0 << " to "
       << record.t1 << " (" << record.statistics.accepted << " steps accepted, "
       << record.statistics.rejected << " rejected, " << record.statistics.nfe << " evaluations";
  if (!record.statistics.log.empty()) {
    const Attempt& last = record.statistics.log.back();
    text << "; last logged attempt: h = " << last.h << ", error ratio " << last.error_ratio;
  }
  text << "): " << hint(record.status);
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
    result = solve(*method_, options_, *field, y0, {t0, t1});
  } catch (Error& error) {
    error.add_context("solve \"" + std::string(name) + "\"");
    throw;
  }
  SolveRecord& record = solves_.emplace_back(SolveRecord{
      std::string(name), result.status, t0, t1, result.time_reached, std::move(result.statistics)});
  if (record.status != SolveStatus::kOk) throw NumericError(failure_text(record));
  return std::move(result.state);
}

}  // namespace unmask::ode
