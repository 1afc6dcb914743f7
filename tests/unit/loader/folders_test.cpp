#include "loader/folders.hpp"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "unmask/errors.hpp"

namespace unmask::loader::folders_test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class Folders : public ::testing::Test {
 protected:
  fs::path make(const std::string& name) {
    fs::create_directories(root() / name);
    return root() / name;
  }
  fs::path root() const { return fs::canonical(folder_.path()); }
  fs::path executable() const { return root() / "bin" / "unmask"; }

  base::TempFolder folder_;
};

TEST_F(Folders, AreOptionsThenEnvironmentThenThoseOfTheProgram) {
  const fs::path a = make("a"), b = make("b"), c = make("c");
  const std::string environment = b.string() + ":" + c.string();

  EXPECT_THAT(plugin_folders({a}, environment.c_str(), executable()),
              ElementsAre(a, b, c, root() / "lib/unmask/plugins"));
}

TEST_F(Folders, AreListedOnceHoweverTheyAreReached) {
  const fs::path a = make("a");
  fs::create_directory_symlink(a, root() / "link");

  EXPECT_THAT(plugin_folders({a, root() / "link"}, (a.string() + "/.:").c_str(), executable()),
              ElementsAre(a, root() / "lib/unmask/plugins"));
}

TEST_F(Folders, NeedNoEnvironment) {
  EXPECT_THAT(plugin_folders({}, nullptr, executable()),
              ElementsAre(root() / "lib/unmask/plugins"));
}

TEST_F(Folders, ThatAnOptionNamesMustExist) {
  EXPECT_THROW(plugin_folders({root() / "missing"}, nullptr, executable()), PluginError);
}

TEST_F(Folders, ThatTheEnvironmentNamesMustExist) {
  try {
    plugin_folders({}, (root() / "missing").c_str(), executable());
    FAIL() << "it was accepted";
  } catch (const PluginError& error) {
    EXPECT_EQ(error.what(),
              "plugin folder '" + (root() / "missing").string() +
                  "' (UNMASK_PLUGIN_PATH) is not a folder; correct or remove it");
  }
}

TEST_F(Folders, GiveTheirLibrariesSortedByName) {
  const fs::path a = make("a"), b = make("b");
  for (const char* name : {"z.so", "b.so", "readme.txt"}) {
    base::write_file_atomically(a / name, "x");
  }
  base::write_file_atomically(b / "a.so", "x");
  fs::create_directory(b / "folder.so");

  EXPECT_THAT(list_libraries({a, b}), ElementsAre(a / "b.so", a / "z.so", b / "a.so"));
}

TEST_F(Folders, GiveALibraryOnceThatIsLinkedIntoBoth) {
  const fs::path a = make("a"), b = make("b");
  base::write_file_atomically(a / "x.so", "x");
  fs::create_symlink(a / "x.so", b / "x.so");

  EXPECT_THAT(list_libraries({a, b}), ElementsAre(a / "x.so"));
}

TEST_F(Folders, ThatDoNotExistHoldNothing) {
  EXPECT_TRUE(list_libraries({root() / "missing"}).empty());
}

}  // namespace
}  // namespace unmask::loader::folders_test
