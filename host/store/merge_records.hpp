#pragma once
// Half of a merge: what results refer to. Manifests, machines, plugins, cells, plans and runs are
// known in both databases by what they are, and have other ids in each.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "store/database.hpp"

namespace unmask::store {

class RecordMerger {
 public:
  /// Both outlive it. @param only  as in MergeOptions
  RecordMerger(Database& target,
               Database& source,
               const std::optional<std::set<std::string>>& only);

  /// Cells that are taken (all, or those of `only` with what they need): id there -> id here, each
  /// after the trainings that it needs.
  const std::map<std::int64_t, std::int64_t>& copy_cells();

  /// All runs with their plans and what they did with each cell. Not when `only` some cells are
  /// taken: then run() brings those that are behind their results.
  void copy_runs();

  /// What came of executing cells again. After the cells.
  void copy_verifications();

  /// The id here of a run there; brings it when it is not here.
  std::int64_t run(std::int64_t there);

 private:
  std::int64_t same(const char* table,
                    const std::string& columns,
                    const std::string& identity,
                    const std::string& update,
                    std::int64_t there);
  std::optional<std::int64_t> plan(std::int64_t there, std::int64_t manifest);
  void copy_names(std::int64_t plan_there, std::int64_t plan_here, bool is_new);
  void copy_plugins_of_run(std::int64_t there, std::int64_t here);
  void copy_cells_of_run(std::int64_t there, std::int64_t here);
  void copy_plugins_of_cell(std::int64_t there, std::int64_t here);
  std::int64_t plugin(std::int64_t there);
  std::int64_t environment(std::int64_t there);
  bool is_taken(std::int64_t there) const { return cells_.contains(there); }
  std::set<std::int64_t> taken_cells();

  Database& target_;
  Database& source_;
  const std::optional<std::set<std::string>>& only_;
  std::map<std::int64_t, std::int64_t> cells_, runs_, plugins_;
};

/// Number the runs of a database by the time of their beginning, as one process would have done
/// that had begun all of them. Inside a transaction.
void number_runs(Database& database);

}  // namespace unmask::store
