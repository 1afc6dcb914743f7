#include "run/ledger.hpp"

#include <unistd.h>

#include <algorithm>
#include <tuple>

#include "run/progress_text.hpp"
#include "run/slot.hpp"

namespace unmask::run {

using wire::Cell;
using wire::CellFailure;
using wire::FailureClass;

void Ledger::note(const std::string& text) {
  if (remember(text)) progress_.notice(text);
}

bool Ledger::remember(const std::string& text) {
  std::vector<std::string>& notes = summary_.notes;
  if (std::find(notes.begin(), notes.end(), text) != notes.end()) return false;
  notes.push_back(text);
  return true;
}

void Ledger::settle_without_workers() {
  fail_hopeless();
  skip_quarantined();
}

void Ledger::run_again(const Cell& training, const std::vector<std::string>& keys) {
  std::vector<Agenda::Lost> lost;
  for (const std::string& key : keys) {
    if (const auto found = agenda_.lose(key)) lost.push_back(*found);
  }
  const std::size_t elsewhere = keys.size() - lost.size();
  summary_.discarded_elsewhere += elsewhere;
  note(discarded_text(wire::title(training), lost.size(), elsewhere));
  for (const Agenda::Lost& item : lost) {
    progress_.cell_again(plan_[item.cell]);
    if (item.failed_need) skip(item.cell, *item.failed_need);
  }
}

void Ledger::give_up(std::size_t index, const CellFailure& failure) {
  ++summary_.failed;
  if (policy_.is_enough() && !has_told_enough_) {
    has_told_enough_ = true;
    progress_.notice(policy_.enough_text());
  }
  failed_trainings_[index] =
      "(" + std::string(wire::to_string(failure.failure_class)) + "): " + failure.message;
  for (const std::size_t dependant : agenda_.give_up(index)) skip(dependant, index);
}

// What would hold a worker for ever is not given to one.
void Ledger::fail_hopeless() {
  const auto is_hopeless = [&](std::size_t i) { return options_.hopeless.contains(plan_[i].key); };
  if (options_.hopeless.empty()) return;
  for (const std::size_t index : agenda_.ready().take_all(is_hopeless)) {
    const Cell& cell = plan_[index];
    const CellFailure failure = failed(FailureClass::kTimeout, options_.hopeless.at(cell.key));
    const std::string attempt = recorder_.attempt_started(cell, ::getpid(), "cpu");
    recorder_.cell_failed(attempt, cell, failure, false);
    progress_.cell_skipped(cell, failure.message);
    std::ignore = policy_.gave_up(index, failure.failure_class);
    give_up(index, failure);
  }
}

// What crashed again and again is not begun in other cells: one word for all of a kin.
void Ledger::skip_quarantined() {
  const Quarantine& quarantine = policy_.quarantine();
  if (quarantine.is_empty()) return;
  std::map<std::string, std::vector<std::size_t>> kins;
  const auto is_kin = [&](std::size_t i) { return quarantine.reason(i).has_value(); };
  for (const std::size_t index : agenda_.ready().take_all(is_kin)) {
    kins[*quarantine.reason(index)].push_back(index);
  }
  for (const auto& [reason, cells] : kins) {
    std::vector<const Cell*> skipped;
    for (const std::size_t index : cells) skipped.push_back(&plan_[index]);
    for (const Cell* cell : skipped) recorder_.cell_skipped(*cell, reason);
    progress_.cells_skipped(skipped, reason);
    remember(reason);
    summary_.skipped += cells.size();
    for (const std::size_t index : cells) {
      failed_trainings_[index] = "(not started): " + reason;
      for (const std::size_t dependant : agenda_.give_up(index)) skip(dependant, index);
    }
  }
}

void Ledger::skip(std::size_t index, std::size_t failed_training) {
  const Cell& cell = plan_[index];
  const std::string reason =
      (agenda_.needs().checkpoint(index) == failed_training ? "its training failed "
                                                            : "its source failed ") +
      failed_trainings_.at(failed_training);
  recorder_.cell_skipped(cell, reason);
  progress_.cell_skipped(cell, reason);
  ++summary_.skipped;
}

}  // namespace unmask::run
