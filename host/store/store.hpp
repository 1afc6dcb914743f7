#pragma once
// The results store: one SQLite file that remembers what was asked, what was tried, and what came
// out. This is the only way into it. One process writes, any number of processes read.
//
//   Store store = Store::open_writer("results/unmask.sqlite");
//   const std::int64_t run = store.begin_run(study, info);
//   store.register_plan(run, catalog, plan.cells, chosen);
//   const std::string attempt = store.begin_attempt(run, cell.key, pid, "cpu");
//   discarded = store.commit_result(attempt, result);  // or store.fail_attempt(attempt, failure)
//   store.end_run(run, exit_code);

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "catalog/catalog.hpp"
#include "unmask/errors.hpp"
#include "wire/cell.hpp"
#include "wire/manifest_record.hpp"
#include "wire/part.hpp"
#include "wire/result.hpp"

namespace unmask::store {

class Database;
struct FileSystem;          // store/file_system.hpp
struct VerdictRecord;       // store/verdict_record.hpp
struct VerificationRecord;  // store/verification.hpp

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
using DoneCells = std::unordered_map<std::string, std::optional<wire::CheckpointFile>>;

/// The values of a result cannot be: a name is there twice, an accuracy is 1.5, a distance is not a
/// number. The fault is that of the cell, not of the database: nothing was written, and the attempt
/// is still running.
// NOLINTNEXTLINE(cppcoreguidelines-special-member-functions): copies are the compiler's
class RefusedResult : public StoreError {
 public:
  using StoreError::StoreError;
  ~RefusedResult() override;
};

/// How long to wait for a database that another program has locked, or for room on a full disk,
/// before a result is given up.
struct Patience {
  std::chrono::milliseconds limit{0};
  std::chrono::milliseconds pause{1000};              ///< between two tries
  std::function<void(const std::string&)> tell = {};  ///< gets one sentence when the waiting begins
  std::function<bool()> gives_up = {};                ///< true ends the waiting at the next try
};

/// Which samples of an attack.
enum class OutcomeFilter { kAll, kFooled, kRobust, kUndecided };

/// What a stored cell was and how long it took.
struct TimedCell {
  nlohmann::json spec;
  double wall_s = 0;
  std::string device;                                            ///< "cpu", "cuda:0"
  std::optional<std::int64_t> device_peak_bytes = std::nullopt;  ///< memory of a GPU
};

/// Of the SQLite library.
const char* sqlite_version();

/// Every function that writes is one transaction: after it returns, what it wrote survives kill -9
/// and power failure; if it throws, nothing of it was written. Every function may throw StoreError.
/// Movable; to be used by one thread at a time.
class Store {
 public:
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// Open for writing. Makes the folder and the file when they are missing, upgrades an older
  /// schema (after a backup beside the file), and marks attempts of dead runs as interrupted.
  /// @throws WriterBusy (store/writer_busy.hpp) when another process writes to it
  /// @throws StoreError when the file is no database, damaged, another application's, of a newer
  ///         unmask or sealed, or lies on a network
  static Store open_writer(const std::filesystem::path& file);

  /// The same for a file of which somebody else says where it lies.
  /// @throws StoreError for a network, unless the environment allows it (store/file_system.hpp)
  static Store open_writer(const std::filesystem::path& file, const FileSystem& system);

  /// Open for reading; never makes or changes the file. Works while another process writes. A file
  /// of a newer unmask keeps its own views and named queries.
  /// @throws StoreError when the file is missing, or for the reasons above
  static Store open_reader(const std::filesystem::path& file);

  const std::filesystem::path& file() const noexcept;
  bool is_writer() const noexcept;
  /// A random name that this file was given when it was made.
  std::string uuid() const;
  /// A sentence when a newer unmask wrote the file; else empty.
  std::string newer_than_this() const;

  // --- Reading -------------------------------------------------------------------------------

  /// Those of `keys` whose result is stored. 100,000 keys take about 0.3 s.
  DoneCells lookup(std::span<const std::string> keys) const;
  /// Likewise for the cells of a plan.
  DoneCells lookup(std::span<const wire::Cell> cells) const;
  /// All cells whose result is stored.
  DoneCells stored() const;

  /// The file of adversarial images that was kept of a cell.
  std::optional<wire::ResultFile> adversarials_of(const std::string& key) const;

  /// Keys of stored attacks that begin with these digits, at most `limit` of them.
  std::vector<std::string> done_attacks(const std::string& prefix, std::size_t limit) const;

  /// What an attack did to each sample, in their order, at most `limit` of them.
  std::vector<wire::SampleOutcome> outcomes(const std::string& key,
                                            OutcomeFilter filter,
                                            std::size_t limit) const;

  /// The stored parts of a cell, in the order of their samples.
  std::vector<wire::CellPart> parts(const std::string& key) const;

  /// Keys of the cells whose metric of this name is above a limit, with its value.
  std::map<std::string, double> metric_above(const std::string& name, double limit) const;

  /// All stored cells whose time is known, one after the other.
  void visit_timed_cells(const std::function<void(const TimedCell&)>& visit) const;

  /// Keys of stored results that were computed with other weights of a training than these: those
  /// that commit_result() discards when the training yields them.
  /// @param training  key of a train cell, which may be unknown  @param weights  SHA-256
  std::vector<std::string> results_of_other_weights(const std::string& training,
                                                    const std::string& weights) const;

  /// Let views and named queries show a study as another run than its latest one planned it.
  /// @param run      that run; the others' studies vanish
  /// @param earlier  the run that the query `changes` compares with
  /// @throws UsageError when there is no such run, or when it ended before it had a plan
  void look_from_run(std::optional<std::int64_t> run, std::optional<std::int64_t> earlier);

  // --- Writing -------------------------------------------------------------------------------

  /// Record the manifest and the beginning of a run. @return the id of the run
  std::int64_t begin_run(const wire::ManifestRecord& study, const RunInfo& info);

  /// Record how the run ended.
  void end_run(std::int64_t run, int exit_code);

  /// How long every function that writes waits; nothing unless this was called (SQLite itself waits
  /// 10 s for a lock).
  void set_patience(Patience patience);

  /// Record the plan of a run: all cells that the study asks for, their names in it, the plugins that
  /// they use; and which of them this run is to execute: cells with a result count as "hit" of the
  /// run, the others as "planned". Views show a study as the plan of its latest run says.
  /// @param catalog holds every plugin that a specification names with the same fingerprint
  /// @param cells   train cells before what needs them, as plan::make_plan yields them; a train cell
  ///                may be absent when it is registered already
  /// @param chosen  those of them that --only left, by key
  /// @throws InternalError when a plugin or a checkpoint that a specification names is unknown
  void register_plan(std::int64_t run,
                     const catalog::Catalog& catalog,
                     std::span<const wire::Cell> cells,
                     std::span<const wire::Cell> chosen);

  /// The same for a run that executes all of them.
  void register_cells(std::int64_t run,
                      const catalog::Catalog& catalog,
                      std::span<const wire::Cell> cells);

  /// A worker begins a registered cell. @return the id of the attempt (a UUID)
  /// @throws InternalError when the cell is not registered or has a result already
  std::string begin_attempt(std::int64_t run,
                            const std::string& key,
                            std::int64_t worker_pid,
                            const std::string& device);

  /// The attempt succeeded: all its values at once, or nothing.
  /// When a training was repeated and gave other weights than before, the results that were computed
  /// with the former weights are discarded: they would not belong to the stored checkpoint.
  /// @return the keys of the cells whose results were discarded for that reason, of any study: they
  ///         are missing now, and whoever asked for them must run them again
  /// @throws RefusedResult for values that cannot be
  [[nodiscard]] std::vector<std::string> commit_result(const std::string& attempt,
                                                       const wire::CellResult& result);

  /// The attempt failed. Class "interrupted" means that the run was stopped: not the cell's fault.
  void fail_attempt(const std::string& attempt, const wire::CellFailure& failure);

  /// A part of a cell that has no result yet. It goes when the result is committed.
  /// @throws RefusedResult for values that cannot be
  void record_part(std::int64_t run, const std::string& key, const wire::CellPart& part);

  /// Of the cells of a run that have no result, what is stored of them and may be gone on with: the
  /// network has the same weights still, and this run rounds alike (LibTorch, BLAS, kernels, GPU).
  /// Parts of which that is not true are removed, of whatever cell.
  std::map<std::string, wire::StoredParts> usable_parts(std::int64_t run);

  /// The run will not execute this cell, and why.
  void skip_cell(std::int64_t run, const std::string& key, const std::string& reason);

  /// Take back the result of a cell, for example because its checkpoint file has vanished or has
  /// another hash. The cell is missing again; its attempt stays as "discarded" with the reason.
  /// Results of attacks on the checkpoint stay: they are true of the weights with the hash that
  /// they name (see commit_result). @return false when the cell had no result
  bool discard_result(const std::string& key, const std::string& reason);

  /// Put these in the place of all verdicts of a study.
  /// @param run  whose plan and thresholds they follow
  void record_verdicts(std::int64_t run,
                       const std::string& study,
                       std::span<const VerdictRecord> verdicts);

  /// Keep what came of executing a stored cell again, with the environments of then and now. The
  /// stored result stays as it is.
  /// @param environment  of now, as in RunInfo
  void record_verification(const VerificationRecord& record, const nlohmann::json& environment);

  /// For queries (store/queries.hpp) and tests.
  Database& database() const noexcept;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace unmask::store
