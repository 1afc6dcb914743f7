// Listing through a child process: no library harms the host, and the one at fault is named.

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "abi/wrong_plugins.hpp"
#include "base/files.hpp"
#include "loader/discover.hpp"
#include "unmask/errors.hpp"

namespace unmask::loader {
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
  const Catalog catalog =
      inspect_in_child(command(timeout_s), {wrong_file("duplicate_a"), wrong_file(name), copy});
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
  const Catalog catalog = inspect_in_child(command(), {wrong_file("chatter"), wrong_file("fine")});

  EXPECT_EQ(catalog.plugins.size(), 2U);
  EXPECT_NE(catalog.cuda_devices, 99);
}

TEST(DiscoverInChild, RefusesBothOfTwoLibrariesWithOneId) {
  const Catalog catalog =
      discover_in_child(command(), {wrong_folder("duplicate_a"), wrong_folder("duplicate_b")});

  ASSERT_EQ(catalog.refusals.size(), 2U);
  EXPECT_EQ(catalog.refusals[0].reason,
            "offers probe twin, and so does '" + wrong_file("duplicate_b").string() +
                "'; remove one of them or give it another id");
  EXPECT_THAT(catalog.refusals[1].reason, HasSubstr(wrong_file("duplicate_a").string()));
  EXPECT_EQ(catalog.find("probe", "twin"), nullptr);
}

TEST(DiscoverInChild, TakesByteIdenticalCopiesForOne) {
  const base::TempFolder folder;
  fs::copy_file(wrong_file("fine"), folder.path() / "copy.so");

  const Catalog catalog = discover_in_child(command(), {wrong_folder("fine"), folder.path()});

  ASSERT_EQ(catalog.plugins.size(), 1U);
  EXPECT_EQ(catalog.plugins[0].file, wrong_file("fine"));
  EXPECT_TRUE(catalog.refusals.empty());
}

TEST(DiscoverInChild, RestartsForEveryLibraryThatTakesTheChildDown) {
  const Catalog catalog = inspect_in_child(
      command(),
      {wrong_file("crash"), wrong_file("exit"), wrong_file("crash"), wrong_file("fine")});

  EXPECT_EQ(catalog.refusals.size(), 3U);
  EXPECT_EQ(catalog.plugins.size(), 1U);
}

TEST(DiscoverInChild, FindsNothingInAnEmptyFolder) {
  const base::TempFolder folder;

  const Catalog catalog = discover_in_child(command(), {folder.path()});

  EXPECT_TRUE(catalog.plugins.empty());
  EXPECT_TRUE(catalog.refusals.empty());
}

TEST(DiscoverInChild, SaysWhatTheChildSaidWhenItCannotListAtAll) {
  const ListCommand broken{{"/bin/sh", "-c", "echo no engine here >&2; exit 3"}, {}, 60};

  try {
    inspect_in_child(broken, {wrong_file("fine")});
    FAIL() << "it listed something";
  } catch (const PluginError& error) {
    EXPECT_STREQ(error.what(),
                 "plugins cannot be listed: the process '/bin/sh' exited with code 3; it said: no "
                 "engine here");
  }
}

}  // namespace
}  // namespace unmask::loader
