#include "store/maintenance.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/database.hpp"
#include "store/writer_lock.hpp"
#include "unit/store/small_study.hpp"
#include "unmask/errors.hpp"

namespace unmask::store::maintenance_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class MaintenanceTest : public ::testing::Test {
 protected:
  MaintenanceTest() {
    Store store = Store::open_writer(file_);
    run_ = testing::run_small_study(store);
  }

  std::map<std::string, table::Value> facts(const fs::path& file, bool is_thorough = false) {
    std::map<std::string, table::Value> facts;
    for (const auto& row : describe(Store::open_reader(file), is_thorough).rows) {
      facts[std::get<std::string>(row[0])] = row[1];
    }
    return facts;
  }
  std::int64_t outcomes(const fs::path& file) {
    return Store::open_reader(file).database().integer("n", "SELECT count(*) FROM sample_outcome");
  }
  fs::path make(const std::string& name, std::size_t bytes = 3) {
    fs::path path = folder() / name;
    base::write_file_atomically(path, std::string(bytes, 'x'));
    return path;
  }
  fs::path folder() const { return fs::canonical(temporary_.path()); }
  // Path below the folder -> why.
  std::map<std::string, std::string> garbage() {
    std::map<std::string, std::string> found;
    for (const Garbage& item : find_garbage(ResultFolders::of(file_))) {
      found[item.path.lexically_relative(folder()).string()] = item.why;
    }
    return found;
  }

  base::TempFolder temporary_;
  fs::path file_ = fs::canonical(temporary_.path()) / "x.sqlite";
  std::int64_t run_ = 0;
};

// ---- describing ----

TEST_F(MaintenanceTest, DescribesAFile) {
  auto known = facts(file_);

  EXPECT_EQ(known.at("file"), table::Value(file_.string()));
  EXPECT_EQ(known.at("journal mode"), table::Value("wal"));
  EXPECT_EQ(known.at("runs"), table::Value(std::int64_t{1}));
  EXPECT_EQ(known.at("checkpoints"), table::Value(std::int64_t{2}));
  EXPECT_EQ(known.at("quick check"), table::Value("ok"));
  EXPECT_EQ(known.at("sealed at"), table::Value());
  EXPECT_EQ(known.at("written by"), table::Value());
  known = facts(file_, true);
  EXPECT_EQ(known.at("integrity check"), table::Value("ok"));
  EXPECT_EQ(known.at("foreign keys"), table::Value("ok"));
}

TEST_F(MaintenanceTest, SaysWhoWritesAndDoesNotDisturbIt) {
  const Store writer = Store::open_writer(file_);

  EXPECT_THAT(writer_of(file_), HasSubstr("process " + std::to_string(::getpid())));
  EXPECT_THAT(std::get<std::string>(facts(file_).at("written by")), HasSubstr("process "));
}

TEST_F(MaintenanceTest, SeesThatAWriterHasGone) {
  { const Store writer = Store::open_writer(file_); }

  EXPECT_EQ(writer_of(file_), "");
}

// ---- copies ----

TEST_F(MaintenanceTest, ABackupHoldsTheSameAndCanBeWritten) {
  const fs::path copy = folder() / "copy.sqlite";

  copy_to(Store::open_reader(file_), copy, CopyKind::kBackup, false);

  EXPECT_EQ(outcomes(copy), outcomes(file_));
  EXPECT_EQ(message_of([&] { Store::open_writer(copy); }), "(no error)");
}

TEST_F(MaintenanceTest, ABackupIsMadeWhileSomebodyWrites) {
  const Store writer = Store::open_writer(file_);
  const fs::path copy = folder() / "copy.sqlite";

  copy_to(Store::open_reader(file_), copy, CopyKind::kBackup, false);

  EXPECT_GT(outcomes(copy), 0);
}

TEST_F(MaintenanceTest, ASealedCopyIsOneFileThatIsOnlyRead) {
  const fs::path copy = folder() / "sealed" / "copy.sqlite";

  copy_to(Store::open_reader(file_), copy, CopyKind::kSealed, false);

  EXPECT_EQ(outcomes(copy), outcomes(file_));
  struct stat status {};
  ASSERT_EQ(::stat(copy.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0444U);
  EXPECT_EQ(facts(copy).at("journal mode"), table::Value("delete"));
  EXPECT_THAT(message_of([&] { Store::open_writer(copy); }),
              AllOf(HasSubstr("was sealed at "), HasSubstr("unmask db backup")));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(copy.parent_path())) {
    names.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(names, ElementsAre("copy.sqlite"));  // no log, no lock
}

TEST_F(MaintenanceTest, ABackupOfASealedCopyCanBeWritten) {
  const fs::path sealed = folder() / "sealed.sqlite";
  copy_to(Store::open_reader(file_), sealed, CopyKind::kSealed, false);
  const fs::path copy = folder() / "copy.sqlite";

  copy_to(Store::open_reader(sealed), copy, CopyKind::kBackup, false);

  EXPECT_EQ(message_of([&] { Store::open_writer(copy); }), "(no error)");
}

TEST_F(MaintenanceTest, ACopyReplacesNothingUnlessToldTo) {
  const fs::path copy = make("copy.sqlite");
  const Store store = Store::open_reader(file_);

  EXPECT_THAT(message_of([&] { copy_to(store, copy, CopyKind::kBackup, false); }),
              HasSubstr("exists"));
  EXPECT_EQ(base::read_file(copy), "xxx");
  copy_to(store, copy, CopyKind::kBackup, true);
  EXPECT_GT(outcomes(copy), 0);
}

TEST_F(MaintenanceTest, ACopyIsNeverTheDatabaseItself) {
  EXPECT_THAT(
      message_of([&] { copy_to(Store::open_reader(file_), file_, CopyKind::kBackup, true); }),
      HasSubstr("is the database itself"));
}

// ---- what nobody needs ----

TEST_F(MaintenanceTest, WhatTheDatabaseRefersToIsNoGarbage) {
  Store store = Store::open_writer(file_);
  for (const auto& [key, checkpoint] : store.stored()) {
    if (checkpoint) make("checkpoints/" + checkpoint->path);
  }

  EXPECT_THAT(garbage(), ElementsAre());
}

TEST_F(MaintenanceTest, FilesThatNothingRefersToAreFound) {
  make("checkpoints/ab/abcd.safetensors");
  make("checkpoints/.ab.safetensors.12-0.tmp");
  make("checkpoints/notes-of-somebody.txt");
  make("adversarials/" + std::string(64, '0') + ".safetensors");
  make("logs/run-77/worker-0.log");
  make("logs/mine/notes.txt");

  EXPECT_THAT(garbage(),
              ElementsAre(Pair("adversarials/" + std::string(64, '0') + ".safetensors",
                               "no database here refers to it"),
                          Pair("checkpoints/.ab.safetensors.12-0.tmp",
                               "left behind by a process that was killed"),
                          Pair("checkpoints/ab/abcd.safetensors", "no database here refers to it"),
                          Pair("logs/run-77", "no failure refers to these logs")));
}

TEST_F(MaintenanceTest, SnapshotsAreKeptWhileTheirTrainingIsMissing) {
  const testing::SmallStudy study;
  make("checkpoints/unfinished/" + study.broken.key + ".safetensors");  // failed: goes on
  make("checkpoints/unfinished/" + study.train0.key + ".safetensors");
  make("checkpoints/unfinished/" + std::string(64, '0') + ".safetensors");

  EXPECT_THAT(
      garbage(),
      UnorderedElementsAre(Pair("checkpoints/unfinished/" + study.train0.key + ".safetensors",
                                "a training that is recorded"),
                           Pair("checkpoints/unfinished/" + std::string(64, '0') + ".safetensors",
                                "a training that no database here knows")));
}

TEST_F(MaintenanceTest, LogsThatAFailureNamesAreKept) {
  const std::string run = "run-" + std::to_string(run_);
  make("logs/" + run + "/worker-0.log");
  EXPECT_THAT(garbage(), ElementsAre(Pair("logs/" + run, "no failure refers to these logs")));

  Database::open(file_, Database::Mode::kWrite)
      .execute("name it",
               "UPDATE attempt SET log_tail = '(all of it: /x/logs/" + run +
                   "/worker-0.log)' WHERE state = 'failed'");

  EXPECT_THAT(garbage(), ElementsAre());
}

TEST_F(MaintenanceTest, ADatabaseBesideItKeepsItsFiles) {
  // A backup knows the checkpoint of a result that was discarded since.
  copy_to(Store::open_reader(file_), folder() / "copy.bak", CopyKind::kBackup, false);
  Store store = Store::open_writer(file_);
  const testing::SmallStudy study;
  make("checkpoints/" + store.stored().at(study.train0.key)->path);
  store.discard_result(study.train0.key, "for the test");

  EXPECT_THAT(garbage(), ElementsAre());

  fs::remove(folder() / "copy.bak");
  EXPECT_EQ(garbage().size(), 1U);
}

TEST_F(MaintenanceTest, ADatabaseThatCannotBeReadStopsTheSearch) {
  const fs::path broken = folder() / "broken.sqlite";
  copy_to(Store::open_reader(file_), broken, CopyKind::kBackup, false);
  fs::resize_file(broken, fs::file_size(broken) / 2);

  EXPECT_THAT(message_of([&] { garbage(); }),
              AllOf(HasSubstr(broken.string()), HasSubstr("move it elsewhere")));
}

}  // namespace
}  // namespace unmask::store::maintenance_test
