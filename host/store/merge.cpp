#include "store/merge.hpp"

#include <algorithm>

#include "store/database.hpp"
#include "store/merge_records.hpp"
#include "store/merge_results.hpp"
#include "store/result_files.hpp"
#include "store/row_values.hpp"
#include "unmask/errors.hpp"

namespace unmask::store {
namespace {

namespace fs = std::filesystem;

// All of a database as it is at one moment, while somebody may be writing to it.
class Snapshot {
 public:
  explicit Snapshot(Database& database) : database_(database) {
    database_.execute("begin to read", "BEGIN");
  }
  ~Snapshot() {
    try {
      database_.execute("end reading", "COMMIT");
    } catch (const StoreError&) {  // the connection is closed next, which ends it, too
    }
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  Database& database_;
};

void merge_one(Database& target,
               Database& source,
               const MergeOptions& options,
               MergeReport& report) {
  RecordMerger records(target, source, options.only);
  const auto& cells = records.copy_cells();
  if (!options.only) records.copy_runs();
  ResultMerger results(
      target, source, options, [&](std::int64_t run) { return records.run(run); }, report);
  for (const auto& [there, here] : cells) {
    if (options.only) {
      Statement key = source.prepare("read key", "SELECT key FROM cell WHERE id = ?");
      if (!key.bind(there).step() || !options.only->contains(key.text(0))) continue;
    }
    results.merge(there, here);
  }
  if (!options.only) records.copy_verifications();
}

}  // namespace

MergeReport merge(Store& target, std::span<const fs::path> files, const MergeOptions& options) {
  UNMASK_CHECK(target.is_writer(), "the target of a merge is a writer");
  const auto open = [&](const fs::path& file) {
    Store source = Store::open_reader(file);
    if (source.file() == target.file()) {
      throw UsageError(file.string() + " is the target of the merge itself; name other databases");
    }
    return source;
  };
  MergeReport report;
  Transaction transaction(target.database());
  // One after the other: there may be more of them than a process may open files.
  for (const fs::path& file : files) {
    const Store source = open(file);
    const Snapshot snapshot(source.database());
    merge_one(target.database(), source.database(), options, report);
  }
  if (!report.conflicts.empty() && options.on_conflict == OnConflict::kRefuse) return report;
  number_runs(target.database());
  target.database().execute(
      "remove parts of cells that are done now",
      "DELETE FROM cell_part WHERE cell_id IN (SELECT cell_id FROM attempt WHERE state = 'done')");
  // Before the commit: what is recorded has its files.
  for (const fs::path& file : files) {
    for (std::string& problem : copy_result_files(open(file), target)) {
      report.missing_files.push_back(std::move(problem));
    }
  }
  transaction.commit();
  report.is_merged = true;
  return report;
}

std::map<std::string, std::size_t> kernels_of_results(const Store& store) {
  // On the CPU it is the kernels that round, whatever the processor is called.
  Statement read = store.database().prepare(
      "count results by kernels",
      "SELECT 'LibTorch ' || e.libtorch, CASE WHEN a.device LIKE 'cuda%' THEN e.gpu ELSE "
      "coalesce(nullif(json_extract(e.json, '$.kernels'), ''), e.cpu) END, count(*) "
      "FROM attempt a JOIN run r ON r.id = a.run_id "
      "JOIN environment e ON e.id = r.environment_id WHERE a.state = 'done' GROUP BY 1, 2");
  std::map<std::string, std::size_t> counts;
  while (read.step()) {
    Row row = row_of(read);
    const auto count = static_cast<std::size_t>(std::get<std::int64_t>(row.back()));
    row.pop_back();
    counts[to_text(row)] += count;
  }
  return counts;
}

}  // namespace unmask::store
