#include "base/files.hpp"

#include <sys/stat.h>

#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "unmask/errors.hpp"

namespace unmask::base::files_test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

TEST(ReadFile, GivesAllBytes) {
  const TempFolder folder;
  std::string bytes("a\0b\n", 4);
  bytes.append(100000, 'x');
  std::ofstream(folder.path() / "f", std::ios::binary) << bytes;

  EXPECT_EQ(read_file(folder.path() / "f"), bytes);
}

TEST(ReadFile, ReadsAFileThatAnnouncesNoSize) {
  EXPECT_NE(read_file("/proc/self/status").find("Pid:"), std::string::npos);
}

TEST(ReadFile, NamesTheFileThatIsMissing) {
  const TempFolder folder;

  try {
    read_file(folder.path() / "missing");
    FAIL() << "nothing was thrown";
  } catch (const DataError& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "cannot open " + (folder.path() / "missing").string() + ": No such file or directory");
  }
}

TEST(ReadFile, RefusesAFolder) {
  const TempFolder folder;

  EXPECT_THROW(read_file(folder.path()), DataError);
}

TEST(WriteFileAtomically, MakesMissingFolders) {
  const TempFolder folder;

  write_file_atomically(folder.path() / "a/b/f", "text");

  EXPECT_EQ(read_file(folder.path() / "a/b/f"), "text");
}

TEST(WriteFileAtomically, ReplacesWhatWasThere) {
  const TempFolder folder;
  write_file_atomically(folder.path() / "f", "a long old text");

  write_file_atomically(folder.path() / "f", "new");

  EXPECT_EQ(read_file(folder.path() / "f"), "new");
}

TEST(WriteFileAtomically, LeavesNoTemporaryFile) {
  const TempFolder folder;

  write_file_atomically(folder.path() / "f", "text");

  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"f"});
}

TEST(WriteFileAtomically, LeavesNothingWhenItFails) {
  const TempFolder folder;
  fs::create_directories(folder.path() / "f" /
                         "in the way");  // a folder cannot be replaced by a file

  EXPECT_THROW(write_file_atomically(folder.path() / "f", "text"), DataError);
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"f"});
}

TEST(WriteFileAtomically, GivesTheFileThePermissionsOfTheUmask) {
  const TempFolder folder;
  const mode_t old = ::umask(027);

  write_file_atomically(folder.path() / "f", "text");
  ::umask(old);

  struct stat info {};
  ASSERT_EQ(::stat((folder.path() / "f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
}

TEST(TempFolder, GoesWithItsContents) {
  fs::path path;
  {
    const TempFolder folder;
    path = folder.path();
    write_file_atomically(path / "a/b", "text");
  }

  EXPECT_FALSE(fs::exists(path));
}

TEST(TempFolder, HasANameOfItsOwn) {
  const TempFolder one, two;

  EXPECT_NE(one.path(), two.path());
}

}  // namespace
}  // namespace unmask::base::files_test
