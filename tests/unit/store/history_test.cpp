// What the database remembers of a cell.

#include "store/history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store::history_test {
namespace {

using testing::SmallStudy;

class History : public ::testing::Test {
 protected:
  History() { testing::run_small_study(store_, study_); }

  base::TempFolder folder_;
  Store store_ = Store::open_writer(folder_.path() / "x.sqlite");
  SmallStudy study_;
};

TEST_F(History, TellsTheLatestAttempt) {
  const auto done = last_attempt(store_, study_.pgd.key);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->state, "done");
  EXPECT_EQ(done->host, "lab1");
  EXPECT_EQ(done->wall_s, 1.5);

  const auto failed = last_attempt(store_, study_.crashed.key);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->state, "failed");
  EXPECT_EQ(failed->failure_class, "crash");
  EXPECT_EQ(failed->message, "it crashed again");
  EXPECT_EQ(failed->attempts, 2);

  EXPECT_FALSE(last_attempt(store_, study_.blocked.key));
}

TEST_F(History, KnowsWhatANameMeantBefore) {
  wire::Cell edited = study_.pgd;
  edited.key = std::string(64, 'f');
  const auto former = former_cell(store_, "small", edited);
  ASSERT_TRUE(former);
  EXPECT_EQ(former->key, study_.pgd.key);
  EXPECT_EQ(former->spec, study_.pgd.spec);

  EXPECT_FALSE(former_cell(store_, "another study", edited));
  edited.labels.seed = 99;
  EXPECT_FALSE(former_cell(store_, "small", edited));
  EXPECT_FALSE(former_cell(store_, "small", study_.crashed)) << "it has no result";
}

TEST_F(History, ListsSpecificationsOfStoredCells) {
  EXPECT_THAT(stored_specs(store_, wire::CellKind::kTrain, 10), ::testing::SizeIs(2));
  EXPECT_THAT(stored_specs(store_, wire::CellKind::kAttack, 3), ::testing::SizeIs(3));
  EXPECT_EQ(spec_of(store_, study_.broken.key), study_.broken.spec);
  EXPECT_FALSE(spec_of(store_, std::string(64, '0')));
}

}  // namespace
}  // namespace unmask::store::history_test
