// A disk that fails at an operation of a small study: what was recorded is kept, the file is never
// damaged, the message says what to do, and the same study is finished afterwards. Every third
// operation is tried, with UNMASK_SOAK=1 every one.

#include "unit/store/failing_disk.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/database.hpp"
#include "store/store.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store::failing_disk_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using testing::DiskFailure;
using testing::FailingDisk;
using ::testing::HasSubstr;

// Cells of all kinds, with values in every table of results.
std::vector<std::pair<wire::Cell, wire::CellResult>> study() {
  const testing::SmallStudy small;
  wire::CellResult kept = testing::attack_result("rrfw");
  kept.adversarials = wire::ResultFile{std::string(64, 'e'), 4096, "kept.safetensors"};
  return {{small.train0, testing::train_result("a")},
          {small.clean, testing::attack_result("rrrw")},
          {small.pgd, kept},
          {small.probe, testing::probe_result()}};
}

// As a run does it: what is not stored is tried, and known to be stored when the store returns.
void run(const fs::path& file, std::set<std::string>& acknowledged) {
  Store store = Store::open_writer(file);
  const auto cells = study();
  std::vector<wire::Cell> plan;
  for (const auto& [cell, result] : cells) plan.push_back(cell);
  const std::int64_t id = store.begin_run(testing::make_study(), testing::make_info());
  store.register_cells(id, testing::make_catalog(), plan);
  const DoneCells done = store.lookup(plan);
  for (const auto& [cell, result] : cells) {
    if (done.contains(cell.key)) continue;
    testing::finish(store, id, cell, result);
    acknowledged.insert(cell.key);
  }
  store.end_run(id, 0);
}

std::string results(const fs::path& file) {
  Database database = Database::open(file, Database::Mode::kRead);
  std::string text;
  for (const char* sql :
       {"SELECT key, kind, spec_json FROM cell ORDER BY key",
        "SELECT c.key, p.sha256, p.bytes, p.path FROM checkpoint p JOIN cell c ON c.id = p.cell_id",
        "SELECT c.key, p.sha256, p.bytes FROM adversarials p JOIN cell c ON c.id = p.cell_id",
        "SELECT c.key, o.sample, o.label, o.state, o.clean_prediction, o.prediction, o.distance "
        "FROM sample_outcome o JOIN cell c ON c.id = o.cell_id ORDER BY c.key, o.sample",
        "SELECT c.key, m.name, m.value, m.flag, m.n FROM metric m JOIN cell c ON c.id = m.cell_id "
        "ORDER BY c.key, m.name",
        "SELECT c.key, m.sample, m.name, m.value FROM sample_metric m JOIN cell c ON c.id = "
        "m.cell_id ORDER BY c.key, m.name, m.sample",
        "SELECT c.key, a.state FROM attempt a JOIN cell c ON c.id = a.cell_id WHERE a.state = "
        "'done' ORDER BY c.key"}) {
    Statement rows = database.prepare("results", sql);
    while (rows.step()) {
      for (int column = 0; column < rows.column_count(); ++column) text += rows.text(column) + "|";
      text += "\n";
    }
  }
  return text;
}

// What a failure must leave. @return what is wrong; empty: nothing
std::string damage(const fs::path& file, const std::set<std::string>& acknowledged) {
  if (!fs::exists(file)) return acknowledged.empty() ? "" : "the database is gone";
  Database database = Database::open(file, Database::Mode::kWrite);
  const std::string found = database.text("check", "PRAGMA integrity_check");
  if (found != "ok") return found;
  if (database.integer("check", "SELECT count(*) FROM pragma_foreign_key_check") != 0) {
    return "a row refers to nothing";
  }
  for (const std::string& key : acknowledged) {
    if (database.integer("look",
                         "SELECT count(*) FROM attempt a JOIN cell c ON c.id = a.cell_id WHERE "
                         "a.state = 'done' AND c.key = '" +
                             key + "'") != 1) {
      return "the result of cell " + key + " was reported and is lost";
    }
  }
  return "";
}

class FailingDiskTest : public ::testing::TestWithParam<DiskFailure> {};

// In memory where the system has a folder for that: only the order of the operations matters.
fs::path parent() {
  return fs::is_directory("/dev/shm") ? "/dev/shm" : "";
}

TEST_P(FailingDiskTest, AtEveryOperationLosesNothingAndTheNextRunFinishes) {
  const base::TempFolder folder("unmask-", parent());
  FailingDisk disk;
  std::set<std::string> all;
  const fs::path calm = folder.path() / "calm.sqlite";
  disk.fail_at(1'000'000, GetParam());  // never, and counted as it counts below
  run(calm, all);
  const std::int64_t operations = disk.operations();
  disk.heal();
  const std::string expected = results(calm);
  ASSERT_GT(operations, 50);
  ASSERT_EQ(all.size(), study().size());

  // Some of them here, others in the other ways; all of them when asked.
  const bool wants_all = std::getenv("UNMASK_SOAK") != nullptr;  // NOLINT(concurrency-mt-unsafe)
  const std::int64_t step = wants_all ? 1 : 3;
  int tries = 0;
  int failures = 0;
  for (std::int64_t at = wants_all ? 0 : static_cast<int>(GetParam()); at < operations;
       at += step) {
    ++tries;
    SCOPED_TRACE("operation " + std::to_string(at) + " of " + std::to_string(operations));
    const fs::path file = folder.path() / std::to_string(at) / "x.sqlite";
    std::set<std::string> acknowledged;
    disk.fail_at(at, GetParam());
    std::string message;
    try {
      run(file, acknowledged);
    } catch (const StoreError& error) {
      message = error.what();
      EXPECT_EQ(error.code(), ExitCode::kStore);
    }
    EXPECT_TRUE(disk.has_failed());
    disk.heal();

    if (!message.empty()) {
      ++failures;
      EXPECT_THAT(message, HasSubstr(file.string()));
      EXPECT_THAT(message,
                  AnyOf(HasSubstr("make room and run the same command again"),
                        HasSubstr("check the disk"),
                        HasSubstr("check that its folder exists and that you may write there")));
    }
    ASSERT_EQ(damage(file, acknowledged), "") << message;
    run(file, acknowledged);
    ASSERT_EQ(results(file), expected) << message;
    fs::remove_all(file.parent_path());
  }
  // What fails while the file is closed, or where SQLite can do without, is nobody's concern.
  EXPECT_GT(failures, tries / 2);
  std::printf("%d of %d operations tried, %d times the run ended\n",
              tries,
              static_cast<int>(operations),
              failures);
}

INSTANTIATE_TEST_SUITE_P(Ways,
                         FailingDiskTest,
                         ::testing::Values(DiskFailure::kFull,
                                           DiskFailure::kFullHalfway,
                                           DiskFailure::kOnce),
                         [](const auto& given) {
                           switch (given.param) {
                             case DiskFailure::kFull: return "Full";
                             case DiskFailure::kFullHalfway: return "FullHalfway";
                             case DiskFailure::kOnce: return "Once";
                           }
                           return "";
                         });

}  // namespace
}  // namespace unmask::store::failing_disk_test
