#pragma once
// What a Store consists of; for the files that implement it.

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "base/unique_fd.hpp"
#include "store/database.hpp"
#include "store/store.hpp"

namespace unmask::store {

// Cells (id, key) with a result of other weights of the training ?1 than ?2, as its network or as
// the source of its images.
inline constexpr const char* kResultsOfOtherWeights =
    "SELECT a.cell_id, c.key FROM attempt a JOIN cell c ON c.id = a.cell_id "
    "WHERE a.state = 'done' AND ((c.checkpoint_cell_id = ?1 AND a.checkpoint_sha256 IS NOT ?2) "
    "OR (c.source_cell_id = ?1 AND a.source_sha256 IS NOT ?2))";

/// The row of a machine and its libraries, inserted when it is new. Inside a transaction.
std::int64_t environment_id(Database& database, const nlohmann::json& environment);

struct Store::Impl {
  using Clock = std::chrono::steady_clock;

  // The lock is the last to go.
  base::UniqueFd lock;
  Database database;
  bool is_writer = false;
  Patience patience = {};
  std::map<std::string, Clock::time_point> started = {};  // of running attempts

  // What is known of an attempt that is about to end.
  struct Attempt {
    std::int64_t cell = 0;
    std::int64_t run = 0;
    std::string kind;
    double wall_s = 0;
  };

  Attempt running_attempt(const std::string& id);
  std::int64_t cell_id(const std::string& key);

  // One transaction. While the database is locked or the disk is full it waits and begins again, as
  // long as `patience` says: so `body` may be executed more than once, each time on the database as
  // it was.
  void write(const std::function<void(Database&)>& body);
};

}  // namespace unmask::store
