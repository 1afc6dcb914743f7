#pragma once
// The one error about a database that goes away by itself.

#include <string>

#include "unmask/errors.hpp"

namespace unmask::store {

/// Another process writes to the database.
class WriterBusy final : public StoreError {
 public:
  explicit WriterBusy(const std::string& situation)
      : StoreError(situation +
                   "; wait until it ends (unmask run --wait does), or name another file with --db "
                   "(queries work meanwhile)"),
        situation_(situation) {}

  /// "results/unmask.sqlite is being written by process 7 on host since ..."
  const std::string& situation() const noexcept { return situation_; }

 private:
  std::string situation_;
};

}  // namespace unmask::store
