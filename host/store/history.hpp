#pragma once
// What the database remembers of cells, for explaining why they are stored or run.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "store/store.hpp"
#include "wire/cell.hpp"

namespace unmask::store {

/// The latest attempt at a cell.
struct LastAttempt {
  std::string state;  ///< "done", "failed", "interrupted", "discarded", "running"
  std::int64_t attempts = 0;
  std::string failure_class, message;
  std::int64_t run = 0;
  std::string host, device, when;  ///< when it ended, or began when it runs
  double wall_s = 0;
};

/// nullopt: it was never tried.
std::optional<LastAttempt> last_attempt(const Store& store, const std::string& key);

/// A cell with a result.
struct StoredSpec {
  std::string key;
  nlohmann::json spec;
};

/// The stored cell that had this name in the latest plan of the study in which the name meant
/// another cell than `cell`; nullopt when there is none with a result.
std::optional<StoredSpec> former_cell(const Store& store,
                                      const std::string& study,
                                      const wire::Cell& cell);

/// Stored cells of a kind, the latest first, at most `limit` of them.
std::vector<StoredSpec> stored_specs(const Store& store, wire::CellKind kind, std::size_t limit);

/// The specification of a cell that was ever registered.
std::optional<nlohmann::json> spec_of(const Store& store, const std::string& key);

}  // namespace unmask::store
