// Cells in parts: what is done of them is recorded as it comes, and workers share them.

#include <algorithm>
#include <exception>
#include <utility>

#include "run/runner_loop.hpp"
#include "unmask/errors.hpp"

namespace unmask::run {
namespace {

using wire::Cell;
using wire::FailureClass;
using State = Slot::State;

constexpr const char* kStopped = "the run was stopped; what is done of the cell is kept";

}  // namespace

std::map<std::string, wire::StoredParts> Recorder::stored_parts() {
  return {};
}

void Recorder::part_done(const wire::Cell& cell, const wire::CellPart& part) {
  parts_[cell.key].push_back(part);
}

std::vector<wire::CellPart> Recorder::parts(const wire::Cell& cell) {
  return parts_[cell.key];
}

// ---- parts of cells ----

void Runner::turn_from(Slot& slot) {
  divided_.release(crew_.number_of(slot));
  is_alone_ = false;
}

void Runner::finish_part(Slot& slot, const wire::CellPart& part, const std::string& spoilt) {
  const std::size_t index = slot.cell;
  const bool is_alone = is_alone_;
  recorder_.part_done(plan_[index], part);
  divided_.add(index, crew_.number_of(slot), part);
  if (part.found.device_peak_bytes) crew_.learn_peak(*part.found.device_peak_bytes);
  slot.state = State::kIdle;
  slot.time_limit.reset();
  if (const auto running = running_.find(index); running != running_.end()) {
    running->second.spent_s += part.found.wall_s;
  }
  settle_worker(slot, spoilt);
  go_on(slot, index, is_alone);
}

void Runner::go_on(Slot& slot, std::size_t index, bool is_alone) {
  const Cell& cell = plan_[index];
  const bool is_running = running_.contains(index);  // or it has failed elsewhere
  const bool has_others = divided_.is_taken(index);
  const bool has_open = divided_.has_open(index);
  const bool goes_on = is_running && has_open && stop_ == StopLevel::kNone;
  if (goes_on && slot.state == State::kIdle && !(has_others && agenda_.ready().shareable() > 0)) {
    is_alone_ = is_alone;
    send_order(slot);
    return;
  }
  if (is_running && !has_others && stop_ != StopLevel::kNone) {
    fail_cell(slot, failed(FailureClass::kInterrupted, kStopped));
    return;
  }
  is_alone_ = false;
  progress_.cell_left(crew_.number_of(slot), cell);
  if (goes_on && !has_others) agenda_.ready().add(index, is_alone ? Wish::kAlone : Wish::kAny);
}

void Runner::finish_last_part(Slot& slot, const wire::CellPart& part, const std::string& spoilt) {
  std::vector<wire::CellPart> parts = recorder_.parts(plan_[slot.cell]);
  parts.push_back(part);
  wire::CellResult result;
  try {
    result = wire::put_together(parts);
  } catch (const InternalError&) {
    throw;
  } catch (const NumericError& error) {
    fail_and_recycle(slot, failed(FailureClass::kInvalid, error.what()));
    return;
  } catch (const std::exception& error) {
    fail_and_recycle(slot, failed(FailureClass::kPluginError, error.what()));
    return;
  }
  finish_result(slot, std::move(result), spoilt);
}

void Runner::end_what_waits() {
  for (const auto& [index, running] : running_) {
    recorder_.cell_failed(
        running.attempt, plan_[index], failed(FailureClass::kInterrupted, kStopped), false);
    ++ledger_.summary().interrupted;
  }
  running_.clear();
}

void Runner::share_out() {
  const auto helps = [this](std::size_t index) { return may_help(index); };
  for (Slot& slot : crew_.slots()) {
    if (slot.state != State::kIdle) continue;
    if (const auto index = divided_.shareable(helps)) begin_cell(slot, *index);
  }
  std::size_t open = divided_.open_parts(helps);
  open -= std::min(open, crew_.count(State::kStarting));
  for (Slot& slot : crew_.slots()) {
    if (slot.state != State::kEmpty || open == 0 || !crew_.may_start(slot)) continue;
    crew_.start(slot);
    --open;
  }
}

}  // namespace unmask::run
