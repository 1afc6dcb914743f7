// Answers between calls: kept whole, or not at all; never a reason to fail.

#include "base/cache.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "base/file_stamp.hpp"
#include "base/files.hpp"

namespace unmask::base::cache_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class CacheTest : public ::testing::Test {
 protected:
  fs::path only_file() const { return fs::directory_iterator(folder_.path())->path(); }

  TempFolder folder_;
  Cache cache_{folder_.path()};
};

TEST_F(CacheTest, GivesBackWhatWasStoredUnderAnEqualQuestion) {
  cache_.store("plugins", {{"a", 1}}, {{"answer", 2}});

  EXPECT_EQ(cache_.find("plugins", {{"a", 1}}), json({{"answer", 2}}));
  EXPECT_EQ(cache_.find("plugins", {{"a", 2}}), std::nullopt);
  EXPECT_EQ(cache_.find("dataset", {{"a", 1}}), std::nullopt);
}

TEST_F(CacheTest, KeepsTheLastAnswer) {
  cache_.store("plugins", 1, "old");
  cache_.store("plugins", 1, "new");

  EXPECT_EQ(cache_.find("plugins", 1), json("new"));
}

TEST_F(CacheTest, TakesADamagedEntryForNone) {
  cache_.store("plugins", 1, "answer");
  const fs::path file = only_file();
  const std::string whole = read_file(file);

  // Every truncation, and every byte changed.
  for (std::size_t i = 0; i < whole.size(); ++i) {
    write_file_atomically(file, whole.substr(0, i));
    ASSERT_EQ(cache_.find("plugins", 1), std::nullopt) << i;
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    write_file_atomically(file, changed);
    ASSERT_EQ(cache_.find("plugins", 1), std::nullopt) << i;
  }
  cache_.store("plugins", 1, "answer");
  EXPECT_EQ(cache_.find("plugins", 1), json("answer"));
}

TEST_F(CacheTest, WorksWithoutAFolderThatItCanWrite) {
  const TempFolder other;
  std::ofstream(other.path() / "file") << "not a folder";

  for (const Cache& cache : {Cache(""), Cache(other.path() / "file"), Cache("/proc/nowhere")}) {
    cache.store("plugins", 1, "answer");
    EXPECT_EQ(cache.find("plugins", 1), std::nullopt);
  }
}

TEST_F(CacheTest, ForgetsWhatWasNotUsedForLongest) {
  for (std::size_t i = 0; i < Cache::kMostEntries; ++i) {
    std::ofstream(folder_.path() / ("old-" + std::to_string(i) + ".entry")) << i;
  }
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(48);
  fs::last_write_time(folder_.path() / "old-7.entry", long_ago);

  cache_.store("plugins", 1, "answer");

  EXPECT_FALSE(fs::exists(folder_.path() / "old-7.entry"));
  EXPECT_EQ(cache_.find("plugins", 1), json("answer"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()),
            static_cast<std::ptrdiff_t>(Cache::kMostEntries));
}

TEST(CacheFolder, FollowsTheVariables) {
  ::setenv("HOME", "/home/somebody", 1);
  ::unsetenv("XDG_CACHE_HOME");
  ::unsetenv(kCacheVariable);
  EXPECT_EQ(cache_folder(), "/home/somebody/.cache/unmask");

  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(cache_folder(), "/home/somebody/.cache/unmask");

  ::setenv("XDG_CACHE_HOME", "/var/cache/somebody", 1);
  EXPECT_EQ(cache_folder(), "/var/cache/somebody/unmask");

  ::setenv(kCacheVariable, "/elsewhere", 1);
  EXPECT_EQ(cache_folder(), "/elsewhere");
}

constexpr auto kFuture = std::chrono::hours(1);

TEST(FileStamp, ChangesWithContentAndWithFile) {
  const TempFolder folder;
  const fs::path file = folder.path() / "file";
  write_file_atomically(file, "abc");
  const auto first = stamp_of(file);
  const auto time = fs::last_write_time(file);

  // Same size, same time, another inode: a package manager restores times.
  write_file_atomically(file, "abd");
  fs::last_write_time(file, time);

  ASSERT_TRUE(first);
  EXPECT_NE(stamp_of(file)->text, first->text);
  EXPECT_FALSE(stamp_of(folder.path()));
  EXPECT_FALSE(stamp_of(folder.path() / "nothing"));
}

TEST(FileStamp, IsNotReliedOnWhileTheFileIsNew) {
  const TempFolder folder;
  write_file_atomically(folder.path() / "file", "abc");
  const auto stamp = stamp_of(folder.path() / "file");
  const auto now = std::chrono::system_clock::now();

  EXPECT_FALSE(stamp->had_rested(now));
  EXPECT_TRUE(stamp->had_rested(now + kFuture));
  EXPECT_FALSE(tree_stamp(folder.path(), now));
}

TEST(TreeStamp, ChangesWithAnyFileOfAFolder) {
  const TempFolder folder;
  const auto later = std::chrono::system_clock::now() + kFuture;
  write_file_atomically(folder.path() / "a" / "1", "abc");
  const auto first = tree_stamp(folder.path(), later);
  ASSERT_TRUE(first);
  EXPECT_EQ(tree_stamp(folder.path(), later), first);

  write_file_atomically(folder.path() / "a" / "2", "");
  const auto more = tree_stamp(folder.path(), later);
  EXPECT_NE(more, first);

  fs::rename(folder.path() / "a" / "2", folder.path() / "a" / "3");
  EXPECT_NE(tree_stamp(folder.path(), later), more);
}

TEST(TreeStamp, RefusesWhatHasNoEndOrCannotBeRead) {
  const TempFolder folder;
  const auto later = std::chrono::system_clock::now() + kFuture;
  fs::create_directory_symlink(folder.path(), folder.path() / "again");

  EXPECT_FALSE(tree_stamp(folder.path(), later));
  EXPECT_FALSE(tree_stamp(folder.path() / "nothing", later));
}

}  // namespace
}  // namespace unmask::base::cache_test
