#pragma once
// What follows from the failures of a run: another try, no cell of that kin any more, no cell at all
// any more.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "run/agenda.hpp"
#include "run/quarantine.hpp"
#include "run/ready_cells.hpp"
#include "wire/cell.hpp"
#include "wire/failure_class.hpp"

namespace unmask::run {

struct FailureOptions {
  wire::RetryLimits retries = {};                          ///< where they differ from the table
  std::optional<std::size_t> max_failures = std::nullopt;  ///< so many failed cells end the run
};

class FailurePolicy {
 public:
  /// All of them outlive it.
  FailurePolicy(const std::vector<wire::Cell>& plan,
                const StoredCells& stored,
                const FailureOptions& options);

  void finished(std::size_t cell) { quarantine_.finished(cell); }

  /// A cell has failed. @return the worker that it gets for another try; nullopt: it gets none
  std::optional<Wish> failed(std::size_t cell, wire::FailureClass failure_class);

  /// It gets no other try. @return why its kin is not begun any more; nullopt when it is
  std::optional<std::string> gave_up(std::size_t cell, wire::FailureClass failure_class);

  const Quarantine& quarantine() const { return quarantine_; }

  /// So many cells have failed for good that no other one may begin.
  bool is_enough() const { return options_.max_failures && given_up_ >= *options_.max_failures; }
  /// "a cell failed: no further cell begins"
  std::string enough_text() const;

 private:
  const FailureOptions& options_;
  Quarantine quarantine_;
  std::map<std::pair<std::size_t, wire::FailureClass>, int> failures_;
  std::size_t given_up_ = 0;
};

}  // namespace unmask::run
