// Files that are not, or no longer, a results database of this version: one clear message each.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "base/unique_fd.hpp"
#include "store/database.hpp"
#include "store/file_system.hpp"
#include "store/migrations.hpp"
#include "store/queries.hpp"
#include "store/store.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store::refusal_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;

class RefusalTest : public ::testing::Test {
 protected:
  std::string reading() const {
    return message_of([&] { Store::open_reader(file_); });
  }
  std::string writing() const {
    return message_of([&] { Store::open_writer(file_); });
  }
  void write(const std::string& bytes) const { std::ofstream(file_, std::ios::binary) << bytes; }
  std::string bytes() const { return base::read_file(file_); }
  void make_study_file() const {
    Store store = Store::open_writer(file_);
    testing::run_small_study(store);
  }

  base::TempFolder folder_;
  fs::path file_ = folder_.path() / "x.sqlite";
};

TEST_F(RefusalTest, MissingFileIsNamedAndNotMade) {
  EXPECT_THAT(
      reading(),
      AllOf(
          HasSubstr("there is no results database"), HasSubstr(file_.string()), HasSubstr("--db")));
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(RefusalTest, EmptyFileHasNothingToRead) {
  write("");

  EXPECT_THAT(reading(), HasSubstr("is empty: nothing was recorded"));
}

TEST_F(RefusalTest, EmptyFileMayBeFilled) {
  write("");

  EXPECT_EQ(writing(), "(no error)");
}

TEST_F(RefusalTest, FolderIsNoFile) {
  fs::create_directory(file_);

  EXPECT_THAT(reading(), HasSubstr("is not a file"));
  EXPECT_THAT(writing(), HasSubstr("is not a file"));
}

TEST_F(RefusalTest, RandomBytesAreNoDatabase) {
  std::mt19937 random(7);
  std::string text(8192, '\0');
  for (char& c : text) c = static_cast<char>(random() & 0xff);
  write(text);

  EXPECT_THAT(reading(), HasSubstr("is not a SQLite database"));
  EXPECT_THAT(writing(), HasSubstr("is not a SQLite database"));
  EXPECT_EQ(bytes(), text);
}

TEST_F(RefusalTest, TextIsNoDatabase) {
  write("{\"name\": \"a manifest given as the database\"}\n");

  EXPECT_THAT(reading(), HasSubstr("is not a SQLite database"));
  EXPECT_THAT(writing(), HasSubstr("is not a SQLite database"));
}

TEST_F(RefusalTest, WhatAForeignFileIsIsSaid) {
  write("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n");

  EXPECT_THAT(reading(), HasSubstr("is not a SQLite database but a Git LFS pointer"));
  EXPECT_THAT(writing(), HasSubstr("name another file with --db"));
}

// Lengths from inside of the header to all but the last page.
class TruncationTest : public RefusalTest, public ::testing::WithParamInterface<double> {};

TEST_P(TruncationTest, TruncatedFileIsDamaged) {
  make_study_file();
  const std::string whole = bytes();
  const auto length = static_cast<std::size_t>(GetParam() * static_cast<double>(whole.size()));
  write(whole.substr(0, length));

  EXPECT_THAT(reading(), AllOf(HasSubstr("is damaged"), HasSubstr(".recover")));
  EXPECT_THAT(writing(), AllOf(HasSubstr("is damaged"), HasSubstr(".recover")));
  EXPECT_EQ(bytes(), whole.substr(0, length));
}

INSTANTIATE_TEST_SUITE_P(Fractions, TruncationTest, ::testing::Values(0.001, 0.02, 0.5, 0.98));

TEST_F(RefusalTest, OverwrittenSchemaIsDamaged) {
  make_study_file();
  std::string text = bytes();
  text.replace(100, 3000, std::string(3000, '\x7f'));
  write(text);

  EXPECT_THAT(reading(), HasSubstr("is damaged"));
}

TEST_F(RefusalTest, DatabaseOfAnotherApplicationIsLeftAlone) {
  Database::open(file_, Database::Mode::kWrite)
      .execute("make", "PRAGMA application_id = 42; CREATE TABLE mine (i INTEGER)");
  const std::string before = bytes();

  EXPECT_THAT(reading(), HasSubstr("is a SQLite database of another application"));
  EXPECT_THAT(writing(), HasSubstr("is a SQLite database of another application"));
  EXPECT_EQ(bytes(), before);
  EXPECT_FALSE(fs::exists(file_.string() + ".lock"));
}

TEST_F(RefusalTest, DatabaseWithoutAMarkIsAnotherApplications) {
  Database::open(file_, Database::Mode::kWrite).execute("make", "CREATE TABLE mine (i INTEGER)");

  EXPECT_THAT(writing(), HasSubstr("is a SQLite database of another application"));
}

TEST_F(RefusalTest, NewerVersionCanBeAskedAndNotWritten) {
  make_study_file();
  {
    Database newer = Database::open(file_, Database::Mode::kWrite);
    newer.execute("age",
                  "PRAGMA user_version = 99; "
                  "CREATE VIEW tomorrow AS SELECT 7 AS seven");
  }
  const std::string before = bytes();

  EXPECT_THAT(writing(),
              AllOf(HasSubstr("schema version 99"),
                    HasSubstr("up to " + std::to_string(schema_version())),
                    HasSubstr("use the newer unmask"),
                    HasSubstr("queries work")));
  const Store reader = Store::open_reader(file_);
  EXPECT_EQ(run_query(reader, "SELECT seven FROM tomorrow").rows[0][0],
            table::Value(std::int64_t{7}));
  EXPECT_FALSE(run_query(reader, find_query("accuracy")->sql).rows.empty());
  EXPECT_THAT(reader.newer_than_this(), HasSubstr("only read"));
  EXPECT_EQ(bytes(), before);
}

TEST_F(RefusalTest, OwnVersionIsNotNewer) {
  make_study_file();

  EXPECT_EQ(Store::open_reader(file_).newer_than_this(), "");
}

TEST_F(RefusalTest, AWriterLooksForDamageInsideOfTables) {
  make_study_file();
  // Overwrite the content of a table's page in the middle: header and schema stay whole.
  {
    Database look = Database::open(file_, Database::Mode::kWrite);
    look.enable_rollback();
    const auto root = look.integer(
        "find",
        "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = 'sample_outcome'");
    const auto page = look.integer("size", "PRAGMA page_size");
    std::string all = bytes();
    all.replace(static_cast<std::size_t>((root - 1) * page), 64, 64, '\xee');
    write(all);
  }

  EXPECT_THAT(writing(), HasSubstr("is damaged"));
}

TEST_F(RefusalTest, ANetworkIsRefusedUnlessItIsAllowed) {
  const FileSystem nfs{"nfs", true};

  EXPECT_THAT(message_of([&] { Store::open_writer(file_, nfs); }),
              AllOf(HasSubstr("network file system (nfs)"),
                    HasSubstr("--db"),
                    HasSubstr("UNMASK_NETWORK_DATABASE=rollback")));
  EXPECT_FALSE(fs::exists(file_));
  EXPECT_FALSE(fs::exists(file_.string() + ".lock"));
}

TEST_F(RefusalTest, AnAllowedNetworkGetsARollbackJournal) {
  ::setenv(kNetworkVariable, "rollback", 1);
  {
    Store store = Store::open_writer(file_, FileSystem{"nfs", true});
    testing::run_small_study(store);
    EXPECT_EQ(store.database().text("mode", "PRAGMA journal_mode"), "delete");
    EXPECT_EQ(store.database().integer("sync", "PRAGMA synchronous"), 2);  // FULL
  }
  ::unsetenv(kNetworkVariable);

  EXPECT_EQ(reading(), "(no error)");
}

TEST(Network, IsToldByTheKindOfFileSystem) {
  EXPECT_TRUE(file_system_of_type(0x6969).is_network);
  EXPECT_EQ(file_system_of_type(0x6969).name, "nfs");
  // As a signed number of 32 bits, which statfs gives on some machines.
  EXPECT_EQ(file_system_of_type(static_cast<int>(0xff534d42)).name, "cifs");
  EXPECT_FALSE(file_system_of_type(0xef53).is_network);
  EXPECT_EQ(file_system_of_type(0x1234).name, "type 0x1234");
}

TEST(Network, IsLookedForWhereTheFileWillBe) {
  const base::TempFolder folder;

  EXPECT_EQ(file_system_of(folder.path() / "a" / "b" / "x.sqlite").name,
            file_system_of(folder.path()).name);
}

TEST(Network, IsAllowedByOneWordOnly) {
  EXPECT_EQ(journal_for("x", {"ext2/3/4", false}, "rollback"), Journal::kWriteAhead);
  EXPECT_EQ(journal_for("x", {"nfs", true}, "rollback"), Journal::kRollback);
  EXPECT_THROW(journal_for("x", {"nfs", true}, "yes"), UsageError);
}

TEST_F(RefusalTest, FolderThatCannotBeMadeIsNamed) {
  write("a file where a folder should be");
  const fs::path below = file_ / "results" / "x.sqlite";

  EXPECT_THAT(message_of([&] { Store::open_writer(below); }),
              AllOf(HasSubstr("cannot be made"), HasSubstr("--db")));
}

TEST_F(RefusalTest, FolderThatMayNotBeWrittenIsNamed) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  fs::permissions(folder_.path(), fs::perms::owner_read | fs::perms::owner_exec);

  const std::string message = writing();

  fs::permissions(folder_.path(), fs::perms::owner_all);
  EXPECT_THAT(message, AllOf(HasSubstr("cannot be written"), HasSubstr("Permission denied")));
}

TEST_F(RefusalTest, FileInAFolderThatMayNotBeWrittenCanBeRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  make_study_file();
  fs::permissions(folder_.path(), fs::perms::owner_read | fs::perms::owner_exec);

  const std::string message = reading();

  fs::permissions(folder_.path(), fs::perms::owner_all);
  EXPECT_EQ(message, "(no error)");
}

// A child that opens the file for writing, says so, and holds it until its input ends.
class Holder {
 public:
  explicit Holder(const fs::path& file) {
    std::array<int, 2> ready{};
    std::array<int, 2> hold{};
    if (::pipe(ready.data()) != 0 || ::pipe(hold.data()) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ready[0]);
      ::close(hold[1]);
      // NOLINTNEXTLINE(clang-analyzer-deadcode.DeadStores): it is held, not read
      const Store store = Store::open_writer(file);
      char byte = 'x';
      if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
      while (::read(hold[0], &byte, 1) > 0) {
      }
      ::_exit(0);
    }
    ::close(ready[1]);
    ::close(hold[0]);
    hold_.reset(hold[1]);
    const base::UniqueFd said(ready[0]);
    char byte = 0;
    is_ready_ = ::read(said.get(), &byte, 1) == 1;
  }
  ~Holder() { end(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  bool is_ready() const { return is_ready_; }
  pid_t pid() const { return pid_; }
  void kill() {
    ::kill(pid_, SIGKILL);
    end();
  }
  void end() {
    hold_.reset();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  base::UniqueFd hold_;
  pid_t pid_ = -1;
  bool is_ready_ = false;
};

TEST_F(RefusalTest, SecondWriterIsToldWhoWrites) {
  const Holder holder(file_);
  ASSERT_TRUE(holder.is_ready());

  EXPECT_THAT(writing(),
              AllOf(HasSubstr("is being written by process " + std::to_string(holder.pid())),
                    HasSubstr("--db")));
}

TEST_F(RefusalTest, SecondWriterIsRefusedUnderAnyNameOfTheFile) {
  const Holder holder(file_);
  ASSERT_TRUE(holder.is_ready());
  const fs::path link = folder_.path() / "link.sqlite";
  fs::create_symlink(file_, link);

  EXPECT_THAT(message_of([&] { Store::open_writer(link); }), HasSubstr("is being written by"));
}

TEST_F(RefusalTest, SecondWriterIsRefusedUnderALinkThatWasThereBeforeTheFile) {
  const fs::path link = folder_.path() / "link.sqlite";
  fs::create_symlink(file_, link);
  const Holder holder(link);
  ASSERT_TRUE(holder.is_ready());

  EXPECT_THAT(message_of([&] { Store::open_writer(link); }), HasSubstr("is being written by"));
  EXPECT_THAT(writing(), HasSubstr("is being written by"));
  EXPECT_TRUE(fs::exists(file_.string() + ".lock"));
  EXPECT_FALSE(fs::exists(link.string() + ".lock"));
}

// Of a hard link nobody can tell which name is the real one: the log would lie beside either.
TEST_F(RefusalTest, AFileOfTwoNamesIsReadAndNotWritten) {
  { const Store store = Store::open_writer(file_); }
  const fs::path other = folder_.path() / "other.sqlite";
  fs::create_hard_link(file_, other);

  EXPECT_THAT(writing(), HasSubstr("is one of 2 hard links to one file"));
  EXPECT_THAT(message_of([&] { Store::open_writer(other); }), HasSubstr("unmask db backup"));
  EXPECT_EQ(reading(), "(no error)");
  fs::remove(other);
  EXPECT_EQ(writing(), "(no error)");
}

TEST_F(RefusalTest, SecondWriterOfTheSameProcessIsRefused) {
  const Store first = Store::open_writer(file_);

  EXPECT_THAT(writing(), HasSubstr("is being written by process " + std::to_string(::getpid())));
}

TEST_F(RefusalTest, ReaderDoesNotMindAWriter) {
  const Holder holder(file_);
  ASSERT_TRUE(holder.is_ready());

  EXPECT_EQ(reading(), "(no error)");
}

TEST_F(RefusalTest, KilledWriterLeavesNothingToUnlock) {
  Holder holder(file_);
  ASSERT_TRUE(holder.is_ready());

  holder.kill();

  EXPECT_EQ(writing(), "(no error)");
}

}  // namespace
}  // namespace unmask::store::refusal_test
