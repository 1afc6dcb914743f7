#include "loader/trust.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"

namespace unmask::loader::trust_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

class Trust : public ::testing::Test {
 protected:
  Trust() {
    fs::create_directories(folder_);
    mode(folder_, 0755);
    base::write_file_atomically(file_, "x");
    mode(file_, 0644);
  }
  static void mode(const fs::path& path, mode_t mode) { ASSERT_EQ(::chmod(path.c_str(), mode), 0); }

  base::TempFolder root_;
  fs::path folder_ = fs::canonical(root_.path()) / "plugins";
  fs::path file_ = folder_ / "attack_x.so";
};

TEST_F(Trust, IsGivenToALibraryThatOnlyItsOwnerMayWrite) {
  EXPECT_EQ(distrust(file_), std::nullopt);
}

TEST_F(Trust, IsGivenToTheSharedFolderOfAGroup) {
  mode(folder_, 0775);
  mode(file_, 0664);

  EXPECT_EQ(distrust(file_), std::nullopt);
}

TEST_F(Trust, IsNotGivenToAFileThatEverybodyMayWrite) {
  mode(file_, 0666);

  EXPECT_THAT(distrust(file_),
              Optional(AllOf(HasSubstr("may be written by everybody"),
                             HasSubstr("chmod o-w " + file_.string()))));
}

TEST_F(Trust, IsNotGivenToAFolderThatEverybodyMayWrite) {
  mode(folder_, 0777);

  EXPECT_THAT(distrust(file_), Optional(HasSubstr("chmod o-w " + folder_.string())));
}

TEST_F(Trust, IsGivenToTheUsersOwnFileInAFolderLikeTmp) {
  mode(folder_, 01777);

  EXPECT_EQ(distrust(file_), std::nullopt);
}

TEST_F(Trust, IsNotGivenToTheFileOfAStrangerInAFolderLikeTmp) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give a file away";
  mode(folder_, 01777);
  ASSERT_EQ(::chown(file_.c_str(), 12345, 12345), 0);

  EXPECT_THAT(distrust(file_), Optional(HasSubstr("belongs to user 12345")));
}

TEST_F(Trust, GoesToWhereALinkLeads) {
  const fs::path open = fs::canonical(root_.path()) / "open";
  fs::create_directories(open);
  base::write_file_atomically(open / "y.so", "x");
  mode(open / "y.so", 0644);
  mode(open, 0777);
  fs::create_symlink(open / "y.so", folder_ / "link.so");

  EXPECT_THAT(distrust(folder_ / "link.so"), Optional(HasSubstr("'" + open.string() + "'")));
}

TEST_F(Trust, OfAFileThatIsNotThereIsTheLoadersAffair) {
  EXPECT_EQ(distrust(folder_ / "missing.so"), std::nullopt);
}

TEST_F(Trust, SortsFilesUnlessItIsSwitchedOff) {
  const fs::path bad = folder_ / "bad.so";
  base::write_file_atomically(bad, "x");
  mode(bad, 0646);
  std::vector<fs::path> files = {bad, file_};

  EXPECT_TRUE(take_distrusted(files, "1").empty());
  EXPECT_THAT(files, ElementsAre(bad, file_));
  const auto refusals = take_distrusted(files, "");
  EXPECT_THAT(files, ElementsAre(file_));
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_EQ(refusals[0].file, bad);
}

}  // namespace
}  // namespace unmask::loader::trust_test
