#pragma once
// The folder of a frozen plan, on a disk that all machines see: the plan, the scripts that execute
// it, the databases that its shards published, their checkpoints and images.
//
//   plan-0123456789abcdef.json
//   submission.json  task.sh  merge.sh  logs/
//   shards/shard-3-of-8-1a2b3c4d.sqlite  shards/checkpoints/  shards/adversarials/
//
// A database gets there whole, by rename, under a name of its own: nothing there is ever opened for
// writing, and none replaces that of another machine.

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plan/shards.hpp"
#include "store/store.hpp"
#include "wire/cell.hpp"

namespace unmask::cli {

/// "3/8".
struct ShardName {
  std::size_t index = 1;  ///< from 1
  std::size_t count = 1;
};

/// @throws UsageError for anything but two numbers, the first between 1 and the second
ShardName parse_shard(const std::string& text);

class PlanFolder {
 public:
  /// @param plan  file of the plan
  explicit PlanFolder(const std::filesystem::path& plan);

  /// The plan in a folder (of several the one that was submitted last), or the file itself.
  /// @throws UsageError when there is none, or several
  static PlanFolder find(const std::filesystem::path& plan_or_folder);

  const std::filesystem::path& plan() const { return plan_; }
  std::filesystem::path folder() const { return plan_.parent_path(); }
  std::filesystem::path shards() const { return folder() / "shards"; }

  /// Databases that were published until now, by name.
  std::vector<std::filesystem::path> published() const;

  /// Publish a database with its checkpoints, images and snapshots of trainings that have not ended.
  /// @param stem  of the name: "shard-3-of-8"; its uuid follows
  /// @return sentences about files that are missing beside it
  std::vector<std::string> publish(store::Store& store, const std::string& stem) const;

  /// Take over what other tasks have published of these cells: results, and snapshots of trainings.
  /// A database that contradicts what is there is left alone.
  /// @return how many results came in
  std::size_t fetch(store::Store& store, const std::vector<wire::Cell>& cells) const;

  /// Keys of cells that have a result in some published database.
  std::set<std::string> done(const std::vector<wire::Cell>& cells) const;

 private:
  std::filesystem::path published_name(const store::Store& store, const std::string& stem) const;
  void publish_snapshots(const store::Store& store) const;
  void fetch_snapshots(const store::Store& store, const std::vector<wire::Cell>& cells) const;

  std::filesystem::path plan_;
};

}  // namespace unmask::cli
