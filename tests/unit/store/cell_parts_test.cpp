// Parts of cells that have not come to their end.

#include <string>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/database.hpp"
#include "store/merge.hpp"
#include "store/store.hpp"
#include "support/fake_part.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store::cell_parts_test {
namespace {

using nlohmann::json;
using test::fake_part;

class CellPartsTest : public ::testing::Test {
 protected:
  CellPartsTest() {
    run_ = begin_run();
    testing::finish(store_, run_, train_, testing::train_result("a"));
  }

  std::int64_t begin_run(const std::string& kernels = "AVX2") {
    RunInfo info = testing::make_info();
    info.environment["kernels"] = kernels;
    const std::int64_t run = store_.begin_run(testing::make_study(), info);
    store_.register_cells(run, testing::make_catalog(), std::vector{train_, pgd_});
    return run;
  }

  void record(std::int64_t first) {
    store_.record_part(run_, pgd_.key, fake_part(first, 4, 23, 4));
  }

  std::int64_t count() const {
    return store_.database().integer("count", "SELECT count(*) FROM cell_part");
  }

  base::TempFolder folder_;
  Store store_ = Store::open_writer(folder_.path() / "x.sqlite");
  testing::SmallStudy small_;
  wire::Cell train_ = small_.train0;
  wire::Cell pgd_ = small_.pgd;
  std::int64_t run_ = 0;
};

TEST_F(CellPartsTest, ArePutIntoOrderAndKeptBitByBit) {
  record(8);
  record(0);

  const std::vector<wire::CellPart> parts = store_.parts(pgd_.key);

  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(json(parts[0]), json(fake_part(0, 4, 23, 4)));
  EXPECT_EQ(json(parts[1]), json(fake_part(8, 4, 23, 4)));
}

TEST_F(CellPartsTest, SurviveTheProcessAndAreFoundByTheNextRun) {
  record(8);
  record(0);
  { const Store gone = std::move(store_); }
  store_ = Store::open_writer(folder_.path() / "x.sqlite");

  const auto found = store_.usable_parts(begin_run());

  ASSERT_EQ(found.size(), 1U);
  const wire::StoredParts& parts = found.at(pgd_.key);
  EXPECT_EQ(parts.total, 23);
  EXPECT_EQ(parts.unit, 4);
  ASSERT_EQ(parts.spans.size(), 2U);
  EXPECT_EQ(parts.spans[1].first, 8);
  EXPECT_EQ(parts.spans[1].count, 4);
  EXPECT_DOUBLE_EQ(parts.seconds, 0.08);
}

TEST_F(CellPartsTest, GoWhenTheResultComes) {
  record(0);

  testing::finish(store_, run_, pgd_, testing::attack_result("rrfw"));

  EXPECT_EQ(count(), 0);
}

TEST_F(CellPartsTest, AreOfNoUseAfterOtherKernels) {
  record(0);

  EXPECT_TRUE(store_.usable_parts(begin_run("AVX512")).empty());

  EXPECT_EQ(count(), 0);
}

TEST_F(CellPartsTest, AreOfNoUseAfterOtherWeights) {
  record(0);
  store_.discard_result(train_.key, "its file has vanished");
  testing::finish(store_, run_, train_, testing::train_result("b"));

  EXPECT_TRUE(store_.usable_parts(begin_run()).empty());

  EXPECT_EQ(count(), 0);
}

// Equal weights are the same network, even when they were trained twice.
TEST_F(CellPartsTest, AreOfUseAfterEqualWeights) {
  record(0);
  store_.discard_result(train_.key, "its file has vanished");
  testing::finish(store_, run_, train_, testing::train_result("a"));

  EXPECT_EQ(store_.usable_parts(begin_run()).size(), 1U);
}

TEST_F(CellPartsTest, AMergeThatBringsTheResultRemovesThem) {
  const auto other = folder_.path() / "other.sqlite";
  {
    Store store = Store::open_writer(other);
    testing::run_small_study(store);
  }
  record(0);
  const std::filesystem::path files[] = {other};

  merge(store_, files, {});

  EXPECT_EQ(count(), 0);
}

TEST_F(CellPartsTest, AreNotRecordedTwice) {
  record(0);

  EXPECT_THROW(record(0), RefusedResult);
}

}  // namespace
}  // namespace unmask::store::cell_parts_test
