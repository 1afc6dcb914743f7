// Stored cells are executed again: what is equal, what is not, and what cannot be.

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"
#include "store/database.hpp"

namespace unmask::test::verify_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kAttacks = "attack=pgd,model=plain,solver=rk4,gradient=@eval";

class Verify : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto manifest = box_.write("small.json", small_manifest());
    ASSERT_EQ(box_.run(manifest, {"--only", kAttacks, "--only", "probe=norms,model=plain"}).code,
              0);
  }

  Outcome verify(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {
        "verify", "--db", box_.database().string(), "--progress", "none"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return box_.unmask(arguments);
  }

  // As a careless hand or another machine might have left it.
  void change(const std::string& sql) const {
    store::Database database =
        store::Database::open(box_.database(), store::Database::Mode::kWrite);
    database.execute("change", sql);
  }

  Sandbox box_;
};

TEST_F(Verify, EqualBitsAreEqualAndOthersAreNamedAndKeptWithoutTouchingTheRows) {
  const Outcome equal = verify({"--sample", "100%", "--format", "csv"});
  EXPECT_EQ(equal.code, 0) << equal.err;
  EXPECT_THAT(equal.err, HasSubstr("3 cells executed again: 3 equal, 0 differ"));
  EXPECT_EQ(box_.ask("SELECT outcome, count(*) FROM verification GROUP BY 1"), "equal,3\n");

  change(
      "UPDATE sample_outcome SET queries = queries + 7 WHERE sample = 4 AND cell_id IN "
      "(SELECT cell_id FROM cells WHERE method = 'pgd')");
  change("UPDATE environment SET json = json_set(json, '$.kernels', 'ATen other'), sha256 = '" +
         std::string(64, '0') + "'");
  const std::string results = box_.results();
  const Outcome differs = verify({kAttacks, "--sample", "10"});

  EXPECT_EQ(differs.code, 1);
  EXPECT_THAT(differs.out, AllOf(HasSubstr("sample_outcome"), HasSubstr("queries")));
  EXPECT_THAT(differs.err,
              AllOf(HasSubstr("1 cell executed again: 0 equal, 1 differs"),
                    HasSubstr("comes from other arithmetic"),
                    HasSubstr("ATen other")));
  EXPECT_EQ(box_.ask("SELECT d.source, d.sample, d.field, d.stored - d.found, "
                     "json_extract(s.json, '$.kernels'), n.id <> s.id FROM verification v "
                     "JOIN verification_difference d ON d.verification_id = v.id "
                     "JOIN environment s ON s.id = v.stored_environment_id "
                     "JOIN environment n ON n.id = v.environment_id"),
            "sample_outcome,4,queries,7,ATen other,1\n");
  EXPECT_EQ(box_.results(), results);
  EXPECT_EQ(box_.ask("SELECT count(*) FROM run"), "1\n");
}

TEST_F(Verify, AMissingCheckpointIsNamedAndNothingIsTrainedUnlessItIsAskedFor) {
  const Outcome trained = verify({"kind=train", "--trainings", "--no-record"});
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("1 cell executed again: 1 equal"));

  fs::remove_all(box_.path("checkpoints"));
  const Outcome lost = verify({"--sample", "100%"});

  EXPECT_EQ(lost.code, 1);
  EXPECT_THAT(lost.out, AllOf(HasSubstr("not executed"), HasSubstr("is missing")));
  EXPECT_THAT(lost.err, HasSubstr("0 cells executed again"));
  EXPECT_FALSE(fs::exists(box_.path("checkpoints")));
  EXPECT_EQ(box_.ask("SELECT count(*) FROM verification"), "0\n");
}

TEST(VerifyUsage, WhatCannotBeIsSaid) {
  const Sandbox box;
  const std::string database = box.database().string();

  EXPECT_EQ(box.unmask({"verify", "--sample", "none", "--db", database}).code, 2);
  const Outcome missing = box.unmask({"verify", "--db", database});
  EXPECT_EQ(missing.code, 5);
  EXPECT_FALSE(fs::exists(box.database()));
}

}  // namespace
}  // namespace unmask::test::verify_test
