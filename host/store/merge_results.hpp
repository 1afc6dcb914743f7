#pragma once
// The other half of a merge: what was tried at a cell, and the values that came of it.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "store/database.hpp"
#include "store/merge.hpp"

namespace unmask::store {

/// The rows of a table of values that belong to a cell, as texts, in the order of their identity;
/// without what tells of time alone.
std::vector<std::string> rows_of_values(Database& database,
                                        const std::string& table,
                                        std::int64_t cell);

class ResultMerger {
 public:
  /// All outlive it.
  /// @param run_here  the id here of a run there
  ResultMerger(Database& target,
               Database& source,
               const MergeOptions& options,
               std::function<std::int64_t(std::int64_t)> run_here,
               MergeReport& report);

  /// Merge the attempts and the result of one cell. Trainings come before what needs them.
  void merge(std::int64_t there, std::int64_t here);

 private:
  struct Attempt {
    std::string id, state, message, started_at;
    std::int64_t run = 0;
    bool is_here = false;         // in the target before
    bool is_changed = false;      // its row here is another one than in the target
    bool is_from_source = false;  // its columns are to be read there
    bool is_done_like() const;
    int rank() const;
  };
  using Attempts = std::map<std::string, Attempt>;  // by id

  Attempts attempts_of(Database& database, std::int64_t cell, bool is_source) const;
  static void adopt(Attempts& merged, const Attempts& theirs);
  bool is_contradicted(std::int64_t there, std::int64_t here, const Attempt& theirs);
  std::string other_weights(std::int64_t here, const std::string& attempt);
  void refuse(Attempt& attempt, const std::string& reason);
  void add_conflict(std::int64_t here,
                    const std::string& what,
                    const std::string& target_attempt,
                    const std::string& source_attempt);
  void elect(Attempts& merged) const;
  void write(std::int64_t here, const Attempts& merged);
  void write_row(std::int64_t here, const Attempt& attempt, std::int64_t number);
  void copy_table(const std::string& table, std::int64_t there, std::int64_t here);
  void copy_values(std::int64_t there, std::int64_t here);
  void discard_evaluations_of_other_weights(std::int64_t training);

  Database& target_;
  Database& source_;
  const MergeOptions& options_;
  std::function<std::int64_t(std::int64_t)> run_here_;
  MergeReport& report_;
};

}  // namespace unmask::store
