// Listing through a child process: no library harms the host, and the one at fault is named.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "abi/wrong_plugins.hpp"
#include "base/files.hpp"
#include "loader/discover.hpp"
#include "loader/folders.hpp"
#include "unmask/errors.hpp"

namespace unmask::loader::child_test {
namespace {

namespace fs = std::filesystem;
using test::wrong_file;
using test::wrong_folder;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Generous: LibTorch itself must load within it on a busy machine. Libraries that hang cost it
// once.
ListCommand command(double timeout_s = 60) {
  return {{UNMASK_LIST_CHILD, "{fd}"}, {}, timeout_s};
}

// What is said of one library when a good one comes before and after it. Checks that both are
// found.
std::string verdict(const std::string& name, double timeout_s = 60) {
  const base::TempFolder folder;
  const fs::path copy = folder.path() / "again.so";
  fs::copy_file(wrong_file("fine"), copy);
  const catalog::Catalog catalog =
      inspect_files(command(timeout_s), {wrong_file("duplicate_a"), wrong_file(name), copy});
  EXPECT_NE(catalog.find("probe", "twin"), nullptr);
  EXPECT_NE(catalog.find("probe", "nothing"), nullptr);
  if (catalog.refusals.size() != 1) return std::to_string(catalog.refusals.size()) + " refusals";
  EXPECT_EQ(catalog.refusals[0].file, wrong_file(name));
  return catalog.refusals[0].reason;
}

TEST(DiscoverInChild, NamesALibraryThatCrashesAndFindsTheOthers) {
  EXPECT_EQ(verdict("crash"),
            "crashed while it was being loaded: killed by signal 11 (Segmentation fault)");
}

TEST(DiscoverInChild, NamesALibraryThatEndsTheProcess) {
  EXPECT_EQ(verdict("exit"), "ended the process while it was being loaded: exited with code 0");
}

TEST(DiscoverInChild, NamesALibraryThatHangs) {
  // Long enough for LibTorch to load, which counts as the child's start.
  EXPECT_EQ(verdict("hang", 10), "did not finish loading within 10 s");
}

TEST(DiscoverInChild, SurvivesALibraryThatClosesItsDescriptors) {
  EXPECT_THAT(verdict("close_all"), HasSubstr("load"));
}

TEST(DiscoverInChild, PassesOnTheReasonOfARefusal) {
  EXPECT_THAT(verdict("other_compiler"), StartsWith("was built for another host: compiler gcc-5"));
}

TEST(DiscoverInChild, IsNotMisledByWhatAPluginPrints) {
  const catalog::Catalog catalog =
      inspect_files(command(), {wrong_file("chatter"), wrong_file("fine")});

  EXPECT_EQ(catalog.plugins.size(), 2U);
  EXPECT_NE(catalog.cuda_devices, 99);
}

catalog::Catalog discover(const std::vector<fs::path>& folders) {
  return inspect_files(command(), list_libraries(folders));
}

TEST(DiscoverInChild, TakesTheFirstOfTwoLibrariesWithOneIdAndSaysSo) {
  const catalog::Catalog catalog =
      discover({wrong_folder("duplicate_b"), wrong_folder("duplicate_a")});

  ASSERT_NE(catalog.find("probe", "twin"), nullptr);
  EXPECT_EQ(catalog.find("probe", "twin")->file, wrong_file("duplicate_b"));
  EXPECT_TRUE(catalog.refusals.empty());
  ASSERT_EQ(catalog.notes.size(), 1U);
  EXPECT_EQ(catalog.notes[0].text,
            "probe twin is taken from '" + wrong_file("duplicate_b").string() + "'; '" +
                wrong_file("duplicate_a").string() + "' offers another one, which is not used");
}

TEST(DiscoverInChild, TakesLibrariesOfOneSourceForOne) {
  const base::TempFolder folder;
  fs::copy_file(wrong_file("fine"), folder.path() / "copy.so");
  // Linked again or stripped, a library has other bytes; its sources are what counts.
  std::ofstream(folder.path() / "copy.so", std::ios::app | std::ios::binary) << "more";

  const catalog::Catalog catalog = discover({wrong_folder("fine"), folder.path()});

  ASSERT_EQ(catalog.plugins.size(), 1U);
  EXPECT_EQ(catalog.plugins[0].file, wrong_file("fine"));
  EXPECT_TRUE(catalog.refusals.empty());
  EXPECT_TRUE(catalog.notes.empty());
}

TEST(DiscoverInChild, PrefersALibraryThatIsNamedAfterItsPlugin) {
  const base::TempFolder folder;
  fs::copy_file(wrong_file("duplicate_b"), folder.path() / "probe_twin.so");

  const catalog::Catalog catalog = discover({wrong_folder("duplicate_a"), folder.path()});

  // A worker looks for such a name first; both must take the same library.
  ASSERT_NE(catalog.find("probe", "twin"), nullptr);
  EXPECT_EQ(catalog.find("probe", "twin")->file, folder.path() / "probe_twin.so");
}

TEST(DiscoverInChild, RestartsForEveryLibraryThatTakesTheChildDown) {
  const catalog::Catalog catalog = inspect_files(
      command(),
      {wrong_file("crash"), wrong_file("exit"), wrong_file("crash"), wrong_file("fine")});

  EXPECT_EQ(catalog.refusals.size(), 3U);
  EXPECT_EQ(catalog.plugins.size(), 1U);
}

TEST(DiscoverInChild, FindsNothingInAnEmptyFolder) {
  const base::TempFolder folder;

  const catalog::Catalog catalog = discover({folder.path()});

  EXPECT_TRUE(catalog.plugins.empty());
  EXPECT_TRUE(catalog.refusals.empty());
}

TEST(DiscoverInChild, SaysWhatTheChildSaidWhenItCannotListAtAll) {
  const ListCommand broken{{"/bin/sh", "-c", "echo no engine here >&2; exit 3"}, {}, 60};

  try {
    inspect_files(broken, {wrong_file("fine")});
    FAIL() << "it listed something";
  } catch (const PluginError& error) {
    EXPECT_STREQ(error.what(),
                 "plugins cannot be listed: the process '/bin/sh' exited with code 3; it said: no "
                 "engine here");
  }
}

}  // namespace
}  // namespace unmask::loader::child_test
