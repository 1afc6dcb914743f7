// Comparing a result with what is stored, and keeping what was found.

#include "store/verification.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/merge.hpp"
#include "store/queries.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store::verification_test {
namespace {

using ::testing::ElementsAre;

class VerificationTest : public ::testing::Test {
 protected:
  VerificationTest() { testing::run_small_study(store_, small_); }

  // "source/name/sample/field: stored -> found" of each difference.
  std::vector<std::string> differences(const std::string& key, const wire::CellResult& now) {
    ResultComparer comparer(store_);
    const Comparison comparison = comparer.compare(key, now);
    EXPECT_EQ(comparison.count, comparison.differences.size());
    std::vector<std::string> texts;
    for (const ValueDifference& d : comparison.differences) {
      texts.push_back(d.source + "/" + d.name + "/" + (d.sample ? std::to_string(*d.sample) : "") +
                      "/" + d.field + ": " + d.stored.value_or("-") + " -> " +
                      d.found.value_or("-"));
    }
    return texts;
  }

  std::string ask(const std::string& sql) {
    return table::to_text(run_query(store_, sql), table::Format::kCsv);
  }

  base::TempFolder folder_;
  testing::SmallStudy small_;
  Store store_ = Store::open_writer(folder_.path() / "x.sqlite");
};

TEST_F(VerificationTest, WhatIsStoredEqualsItself) {
  EXPECT_THAT(differences(small_.train0.key, testing::train_result("a")), ElementsAre());
  EXPECT_THAT(differences(small_.pgd.key, testing::attack_result("rrfw")), ElementsAre());
  EXPECT_THAT(differences(small_.probe.key, testing::probe_result()), ElementsAre());
}

TEST_F(VerificationTest, TimesRemarksAndKeptImagesAreNoPartOfIt) {
  wire::CellResult now = testing::attack_result("rrfw");
  now.wall_s += 1;
  now.peak_bytes += 1;
  now.remarks = {"something else"};
  now.device = "cuda:0";

  EXPECT_THAT(differences(small_.pgd.key, now), ElementsAre());
}

TEST_F(VerificationTest, TheLastBitOfAMetricCounts) {
  wire::CellResult now = testing::probe_result();
  for (wire::Metric& metric : now.metrics) {
    if (metric.name == "median_norm") metric.value = std::nextafter(0.5, 1);
  }

  EXPECT_THAT(differences(small_.probe.key, now),
              ElementsAre("metric/median_norm//value: 0.5 -> 0.5000000000000001"));
}

TEST_F(VerificationTest, EveryKindOfValueIsNamed) {
  wire::CellResult now = testing::attack_result("rrfw");
  now.outcomes[1].prediction = 3;
  now.outcomes.pop_back();
  now.counters.backwards += 2;
  const std::string norm = now.norm;
  now.norm = "l2";

  const auto found = differences(small_.pgd.key, now);

  const auto backwards = std::to_string(now.counters.backwards);
  const auto before = std::to_string(now.counters.backwards - 2);
  EXPECT_THAT(found,
              ElementsAre("cell///norm: " + norm + " -> l2",
                          "attempt/backwards//backwards: " + before + " -> " + backwards,
                          "sample_outcome//1/prediction: 1 -> 3",
                          "sample_outcome//3/row: there -> -"));
}

TEST_F(VerificationTest, OtherWeightsOfATrainingAreADifference) {
  const auto found = differences(small_.train0.key, testing::train_result("b"));

  ASSERT_FALSE(found.empty());
  EXPECT_THAT(found.front(), ::testing::StartsWith("checkpoint///sha256: "));
}

TEST_F(VerificationTest, NumbersThatAreNoneEqualEachOther) {
  wire::CellResult now = testing::probe_result();
  for (wire::Metric& metric : now.metrics) {
    if (metric.name == "broken") metric.value = std::numeric_limits<double>::infinity();
  }

  EXPECT_THAT(differences(small_.probe.key, now), ElementsAre("metric/broken//flag: nan -> inf"));
}

TEST_F(VerificationTest, AManyfoldDifferenceIsCountedAndTheFirstHundredAreKept) {
  wire::CellResult now = testing::attack_result("rrfw");
  const wire::SampleOutcome outcome = now.outcomes.back();
  for (int i = 0; i < 150; ++i) {
    now.outcomes.push_back(outcome);
    now.outcomes.back().sample = 10 + i;
  }
  ResultComparer comparer(store_);

  const Comparison comparison = comparer.compare(small_.pgd.key, now);

  EXPECT_EQ(comparison.count, 150u);
  EXPECT_EQ(comparison.differences.size(), Comparison::kDifferencesKept);
}

TEST_F(VerificationTest, WhatWasFoundIsKeptWithBothMachinesAndNothingElseChanges) {
  const std::string values = ask("SELECT * FROM metric") + ask("SELECT * FROM sample_outcome") +
                             ask("SELECT * FROM attempt ORDER BY id");
  nlohmann::json elsewhere = testing::make_info().environment;
  elsewhere["host"] = "elsewhere";
  elsewhere["kernels"] = "ATen AVX512";
  wire::CellResult now = testing::attack_result("rrfw");
  now.outcomes[1].prediction = 3;
  ResultComparer comparer(store_);
  const Comparison comparison = comparer.compare(small_.pgd.key, now);

  store_.record_verification({small_.pgd.key, "cuda:0", comparison, std::nullopt}, elsewhere);
  store_.record_verification({small_.spsa.key, "cpu", {}, std::nullopt}, elsewhere);
  store_.record_verification({small_.clean.key, "cpu", {}, "crash: signal 11"}, elsewhere);

  EXPECT_EQ(ask("SELECT outcome, n_differences, value_in, sample, field, stored, found, message, "
                "device, host, kernels FROM (" +
                std::string(find_query("verifications")->sql) + ")"),
            "outcome,n_differences,value_in,sample,field,stored,found,message,device,host,kernels\n"
            "differs,1,sample_outcome,1,prediction,1,3,,cuda:0,elsewhere,ATen AVX512\n"
            "equal,0,,,,,,,cpu,elsewhere,ATen AVX512\n"
            "failed,0,,,,,,crash: signal 11,cpu,elsewhere,ATen AVX512\n");
  EXPECT_EQ(ask("SELECT * FROM metric") + ask("SELECT * FROM sample_outcome") +
                ask("SELECT * FROM attempt ORDER BY id"),
            values);
}

TEST_F(VerificationTest, AMergeBringsThemOnce) {
  Comparison comparison;
  comparison.count = 1;
  comparison.differences = {{"metric", "loss", std::nullopt, "value", "0.5", "0.25"}};
  store_.record_verification({small_.pgd.key, "cpu", comparison, std::nullopt},
                             testing::make_info().environment);
  const std::vector<std::filesystem::path> sources = {store_.file()};
  Store target = Store::open_writer(folder_.path() / "all.sqlite");

  ASSERT_TRUE(merge(target, sources, {}).is_merged);
  ASSERT_TRUE(merge(target, sources, {}).is_merged);

  const auto sql = std::string(find_query("verifications")->sql);
  EXPECT_EQ(run_query(target, sql).rows, run_query(store_, sql).rows);
  EXPECT_EQ(run_query(target, sql).rows.size(), 1u);
}

}  // namespace
}  // namespace unmask::store::verification_test
