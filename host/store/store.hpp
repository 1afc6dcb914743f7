#pragma once
// The results store: one SQLite file that remembers what was asked, what was tried, and what came
// out. This is the only way into it. One process writes, any number of processes read.
//
//   Store store = Store::open_writer("results/unmask.sqlite");
//   const std::int64_t run = store.begin_run(study, info);
//   store.register_cells(run, catalog, plan.cells);
//   const std::string attempt = store.begin_attempt(run, cell.key, pid, "cpu");
//   store.commit_result(attempt, result);           // or store.fail_attempt(attempt, failure)
//   store.end_run(run, exit_code);

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catalog/catalog.hpp"
#include "wire/cell.hpp"
#include "wire/manifest_record.hpp"
#include "wire/result.hpp"

namespace unmask::store {

class Database;

/// What a run knows about itself when it begins.
struct RunInfo {
  std::vector<std::string> argv;
  /// Where it runs, as one JSON object. The table `environment` shows the members "host", "os",
  /// "cpu", "gpu", "libtorch", "blas" and "compiler" as columns; others are kept as they are.
  nlohmann::json environment = nlohmann::json::object();
  std::string git_commit;         ///< of the folder of the manifest; empty: not under git
  std::optional<bool> git_dirty;  ///< nullopt: not under git
};

/// Cells that are done; train cells with their checkpoint.
using DoneCells = std::map<std::string, std::optional<wire::CheckpointFile>>;

/// Every function that writes is one transaction: after it returns, what it wrote survives kill -9
/// and power failure; if it throws, nothing of it was written. Every function may throw StoreError.
/// Movable; to be used by one thread at a time.
class Store {
 public:
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// Open for writing. Makes the folder and the file when they are missing, upgrades an older
  /// schema (after a backup beside the file), and marks attempts of dead runs as interrupted.
  /// @throws StoreError when another process writes to it (the message names the process), or when
  ///         the file is no database, damaged, another application's, or of a newer unmask
  static Store open_writer(const std::filesystem::path& file);

  /// Open for reading; never makes or changes the file. Works while another process writes.
  /// @throws StoreError when the file is missing, or for the reasons above
  static Store open_reader(const std::filesystem::path& file);

  const std::filesystem::path& file() const noexcept;
  bool is_writer() const noexcept;

  // --- Reading -------------------------------------------------------------------------------

  /// Those of `keys` whose result is stored. 10,000 keys take about 0.1 s.
  DoneCells lookup(std::span<const std::string> keys) const;
  /// Likewise for the cells of a plan.
  DoneCells lookup(std::span<const wire::Cell> cells) const;
  /// All cells whose result is stored.
  DoneCells stored() const;

  /// The files of adversarial images that were kept, by key, of those of `cells` that have one.
  std::map<std::string, wire::ResultFile> adversarials(std::span<const wire::Cell> cells) const;

  // --- Writing -------------------------------------------------------------------------------

  /// Record the manifest and the beginning of a run. @return the id of the run
  std::int64_t begin_run(const wire::ManifestRecord& study, const RunInfo& info);

  /// Record how the run ended.
  void end_run(std::int64_t run, int exit_code);

  /// Record what a run asks for: cells, their names in this study, the plugins that they use. Cells
  /// with a result count as "hit" of this run, the others as "planned".
  /// @param catalog holds every plugin that a specification names with the same fingerprint
  /// @param cells   train cells before what needs them, as plan::make_plan yields them; a train
  ///                cell may be absent when it is registered already
  /// @throws InternalError when a plugin or a checkpoint that a specification names is unknown
  void register_cells(std::int64_t run,
                      const catalog::Catalog& catalog,
                      std::span<const wire::Cell> cells);

  /// A worker begins a registered cell. @return the id of the attempt (a UUID)
  /// @throws InternalError when the cell is not registered or has a result already
  std::string begin_attempt(std::int64_t run,
                            const std::string& key,
                            std::int64_t worker_pid,
                            const std::string& device);

  /// The attempt succeeded: all its values at once, or nothing. Results that cannot be (an accuracy
  /// outside [0, 1], a negative count, a distance that is not finite) are refused.
  /// When a training was repeated and gave other weights than before, the results that were
  /// computed with the former weights are discarded: they would not belong to the stored
  /// checkpoint.
  /// @return how many results were discarded for that reason
  std::size_t commit_result(const std::string& attempt, const wire::CellResult& result);

  /// The attempt failed. Class "interrupted" means that the run was stopped: not the cell's fault.
  void fail_attempt(const std::string& attempt, const wire::CellFailure& failure);

  /// The run will not execute this cell, and why.
  void skip_cell(std::int64_t run, const std::string& key, const std::string& reason);

  /// Take back the result of a cell, for example because its checkpoint file has vanished or has
  /// another hash. The cell is missing again; its attempt stays as "discarded" with the reason.
  /// Results of attacks on the checkpoint stay: they are true of the weights with the hash that
  /// they name (see commit_result). @return false when the cell had no result
  bool discard_result(const std::string& key, const std::string& reason);

  /// For queries (store/queries.hpp) and tests.
  Database& database() const noexcept;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace unmask::store
