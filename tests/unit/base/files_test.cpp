#include "base/files.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
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

TEST(WriteFileAtomically, LeavesALinkALink) {
  const TempFolder folder;
  fs::create_directory(folder.path() / "far");
  for (const char* name : {"there", "not_yet"}) {
    fs::create_symlink(std::string("far/") + name, folder.path() / name);
  }
  std::ofstream(folder.path() / "far/there") << "old";

  for (const char* name : {"there", "not_yet"}) {
    write_file_atomically(folder.path() / name, "new");

    EXPECT_TRUE(fs::is_symlink(folder.path() / name)) << name;
    EXPECT_FALSE(fs::is_symlink(folder.path() / "far" / name)) << name;
    EXPECT_EQ(read_file(folder.path() / "far" / name), "new") << name;
  }
}

TEST(BehindLinks, OfACircleIsOneOfThem) {
  const TempFolder folder;
  fs::create_symlink("b", folder.path() / "a");
  fs::create_symlink("a", folder.path() / "b");

  EXPECT_TRUE(fs::is_symlink(behind_links(folder.path() / "a")));
}

// As a name like /dev/stdout may be: it is no file that could be replaced.
TEST(WriteFileAtomically, WritesIntoAPipeAndLeavesItOne) {
  const TempFolder folder;
  const fs::path pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const UniqueFd reader(::open(pipe.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader);

  write_file_atomically(pipe, "text");

  std::string got(10, '\0');
  const ssize_t n = ::read(reader.get(), got.data(), got.size());
  EXPECT_EQ(got.substr(0, static_cast<std::size_t>(std::max<ssize_t>(n, 0))), "text");
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"pipe"});
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

TEST(RemoveAbandoned, TakesWhatAKilledWriterLeftAndNothingElse) {
  const TempFolder folder;
  const fs::path abandoned = folder.path() / "a" / ".f.123-4.tmp";
  fs::create_directory(folder.path() / "a");
  for (const char* name :
       {"f", ".f.tmp", ".f.x-4.tmp", ".f.123-.tmp", ".123-4.tmp", "f.123-4.tmp"}) {
    std::ofstream(folder.path() / "a" / name) << "x";
  }
  std::ofstream(abandoned) << "x";

  EXPECT_EQ(remove_abandoned(folder.path()), 1U);

  EXPECT_FALSE(fs::exists(abandoned));
  EXPECT_EQ(names_in(folder.path() / "a").size(), 6U);
  EXPECT_EQ(remove_abandoned(folder.path() / "missing"), 0U);
}

// The writer's lock ends with the writer, so a file without one is nobody's any more.
TEST(RemoveAbandoned, LeavesAFileThatAnotherProcessWrites) {
  const TempFolder folder;
  const fs::path source = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(source.c_str(), 0600), 0);
  const pid_t writer = ::fork();
  ASSERT_GE(writer, 0);
  if (writer == 0) {
    copy_file_atomically(source, folder.path() / "to" / "f");
    ::_exit(0);
  }
  std::ofstream pipe(source);  // returns when the other side has opened it
  const auto is_begun = [&] {
    return fs::exists(folder.path() / "to") && !fs::is_empty(folder.path() / "to");
  };
  while (!is_begun()) ::usleep(1000);
  pipe << "text" << std::flush;
  // Made and locked are two steps; what is removed between them is made anew.
  while (remove_abandoned(folder.path()) > 0 || !is_begun()) ::usleep(1000);

  EXPECT_EQ(remove_abandoned(folder.path()), 0U);
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
  EXPECT_EQ(remove_abandoned(folder.path()), 1U);
  EXPECT_TRUE(fs::is_empty(folder.path() / "to"));
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
