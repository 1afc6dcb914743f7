// What counts as evidence: which attack is the plain one, which samples and numbers count.

#include <cmath>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "unit/verdict/case.hpp"
#include "verdict/statistics.hpp"

namespace unmask::verdict::evidence_test {
namespace {

using nlohmann::json;
using testing::AttackRow;
using testing::Case;
using testing::first;
using testing::range;
using testing::reading_of;

// The plain attack fools 30 of 100.
void weak(Case& c) {
  c.plain(first(30));
}

AttackRow pgd(const std::string& name, const json& params) {
  AttackRow row;
  row.name = name;
  row.params = params;
  return row;
}

TEST(Evidence, StepsThatCannotReachTheSurfaceAreNoPlainAttack) {
  Case c;
  c.attack(pgd("short", {{"steps", 5}}), first(5)).square(first(90));

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kInsufficient);
  EXPECT_FALSE(verdict.plain_correct);
}

TEST(Evidence, NumbersThatAreNoneDoNotCount) {
  Case c;
  weak(c);
  c.probe({.plugin = "batch_gradient", .values = {{"batch_cosine", [](std::int64_t i) {
                                                     return i < 10 ? std::nan("") : 1.0;
                                                   }}}});

  const Reading reading = reading_of(c.verdict(), "batch_cosine");

  EXPECT_EQ(reading.found.n, 10);
  EXPECT_EQ(reading.found.value, 0);
}

TEST(Evidence, SamplesThatWereWrongWithoutAnAttackDoNotCount) {
  Case c(100, 15);
  weak(c);
  c.probe({.plugin = "batch_gradient",
           .values = {{"batch_cosine", [](std::int64_t i) { return i < 15 ? 0.0 : 1.0; }}},
           .n = 30});

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.clean_correct, 85);
  EXPECT_EQ(verdict.plain_correct, 70);
  EXPECT_EQ(reading_of(verdict, "batch_cosine").found.n, 15);
  EXPECT_EQ(reading_of(verdict, "batch_cosine").found.value, 0);
}

TEST(Evidence, AFewSamplesOfAProbeAreNone) {
  Case c;
  weak(c);
  c.probe({.plugin = "batch_gradient",
           .values = {{"batch_cosine", [](std::int64_t) { return 0.0; }}},
           .n = 7});

  EXPECT_EQ(to_string(reading_of(c.verdict(), "batch_cosine").state),
            std::string("lacks evidence"));
}

TEST(Evidence, WhereSamplesInfluenceEachOtherBlackBoxesAskOneByOne) {
  Case c;
  weak(c);
  AttackRow batched;
  batched.name = "square";
  batched.plugin = "square";
  batched.metrics = {{"batch_coupled", 1}};
  AttackRow alone = batched;
  alone.name = "square_alone";
  alone.params = {{"batch_size", 1}};
  c.attack(batched, first(90)).attack(alone, first(35));

  EXPECT_EQ(reading_of(c.verdict(), "black_box_gap").found.value, 0.05);
}

// A network that leaks falls to more steps: what they find must not hide that few steps find nothing.
TEST(Evidence, ThePlainAttackIsTheOneWithTheLeastEffort) {
  Case c;
  c.attack(pgd("more", {{"steps", 100}}), first(80));
  c.attack(pgd("short", {{"steps", 5}, {"step_size", 0.05}}), first(10));
  weak(c);
  c.square(first(60));

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.plain_correct, 70);
  EXPECT_EQ(reading_of(verdict, "black_box_gap").found.value, 0.3);
  EXPECT_EQ(reading_of(verdict, "step_elasticity").found.value, 0.7);
}

// Every rule about a probe that compares passes, at its worst.
Verdict compared(double check_randomised) {
  const auto all = [](double value) { return [=](std::int64_t) { return value; }; };
  Case c;
  c.plain(first(30), {{"check.randomised", check_randomised}});
  c.probe({.plugin = "finite_differences", .values = {{"fd_cosine_large", all(0)}}});
  c.probe({.plugin = "spsa_agreement",
           .values = {{"spsa_cosine", all(0)}, {"spsa_expected", all(0.2)}}});
  c.probe(
      {.plugin = "batch_gradient", .values = {{"batch_cosine", all(0)}, {"leak_ratio", all(100)}}});
  c.probe({.plugin = "batch_invariance", .values = {{"logit_shift", all(1)}}});
  c.probe({.plugin = "gradient_norm",
           .values = {{"predicted_gain", all(2)}, {"realised_gain", all(0)}}});
  c.probe({.plugin = "path_discontinuity", .values = {{"path_jumps", all(3)}}});
  c.probe({.plugin = "noise_stability", .values = {{"i2", all(1)}}});
  return c.verdict();
}

TEST(Evidence, DifferencesOfARandomNetworkAreThoseOfItsDraws) {
  const Verdict random = compared(0.01);
  const Verdict fixed = compared(0);

  for (const char* rule : {"finite_differences",
                           "spsa_agreement",
                           "batch_cosine",
                           "leak_ratio",
                           "batch_variance",
                           "gain",
                           "path_jumps",
                           "unstable_loss"}) {
    EXPECT_EQ(to_string(reading_of(random, rule).state), std::string("lacks evidence")) << rule;
    EXPECT_NE(to_string(reading_of(fixed, rule).state), std::string("lacks evidence")) << rule;
  }
  EXPECT_EQ(reading_of(random, "randomised").state, RuleState::kNote);
  EXPECT_NE(random.judgement, Judgement::kMasked);
  EXPECT_EQ(fixed.judgement, Judgement::kMasked);
}

// Three black boxes that each fool 14 others by luck: together 42 that the plain attack leaves, while
// each alone finds fewer than it. Of a network that answers the same each time they count.
TEST(Evidence, LuckOfSeveralAttacksOnARandomNetworkIsNoGap) {
  const auto lucky = [](double check_randomised) {
    Case c;
    c.plain(first(40), {{"check.randomised", check_randomised}}).square(range(26, 54));
    AttackRow row;
    row.name = "spsa";
    row.plugin = "spsa";
    c.attack(row, range(54, 68));
    row.name = "boundary";
    row.plugin = "boundary";
    c.attack(row, range(68, 82));
    return c.verdict();
  };

  const Reading random = reading_of(lucky(0.01), "black_box_gap");
  const Reading fixed = reading_of(lucky(0), "black_box_gap");

  EXPECT_EQ(fixed.found.value, 0.42);
  EXPECT_EQ(fixed.state, RuleState::kDecides);
  EXPECT_NEAR(random.found.value.value_or(0), 0.14 - 0.26, 1e-12)
      << "square, less what the plain attack alone fools";
  EXPECT_EQ(random.state, RuleState::kQuiet);
}

// What an attack finds reliably it finds alone: 60 that the plain attack leaves, against 20 the other way
// round.
TEST(Evidence, WhatOneAttackFindsOfARandomNetworkCounts) {
  Case c;
  c.plain(first(30), {{"check.randomised", 0.01}}).square(range(20, 90));

  const Verdict verdict = c.verdict();
  const Reading reading = reading_of(verdict, "black_box_gap");
  const Interval interval =
      newcombe_paired({.both = 10, .only_first = 60, .only_second = 20, .neither = 10});

  EXPECT_NEAR(reading.found.value.value_or(0), 0.4, 1e-12);
  EXPECT_NEAR(reading.found.lower.value_or(0), interval.lower, 1e-12);
  EXPECT_NEAR(reading.found.upper.value_or(0), interval.upper, 1e-12);
  EXPECT_EQ(verdict.judgement, Judgement::kMasked);
}

// A mean of gradients is held against a mean of gradients, a single one against a single one.
TEST(Evidence, LossesAreComparedWithEqualDraws) {
  const auto averaged = [](const char* name, const char* loss) {
    AttackRow row;
    row.name = name;
    row.params = {{"loss", loss}, {"eot", 8}};
    return row;
  };
  Case c;
  c.plain(first(30), {{"check.randomised", 0.01}}).square(first(30));
  c.attack(averaged("pgd_averaged", "ce"), first(70));
  c.attack(averaged("pgd_margin_averaged", "margin"), first(72));

  const Verdict verdict = c.verdict();

  EXPECT_NEAR(reading_of(verdict, "averaged_gap").found.value.value_or(0), 0.4, 1e-12);
  EXPECT_NEAR(reading_of(verdict, "loss_gap").found.value.value_or(0), 0.02, 1e-12);
}

TEST(Evidence, DifferencesOfCrossEntropyAreLostInItsRounding) {
  Case c;
  weak(c);
  c.probe({.plugin = "finite_differences",
           .values = {{"fd_cosine_large", [](std::int64_t) { return 0.0; }}},
           .params = {{"loss", "ce"}}});

  EXPECT_EQ(to_string(reading_of(c.verdict(), "finite_differences").state),
            std::string("lacks evidence"));
}

TEST(Evidence, AProbeOfAnotherRadiusOrNormDoesNotCount) {
  Case c;
  weak(c);
  for (const json& params : {json{{"epsilon", 0.03}}, json{{"epsilon", 0.1}, {"norm", "l2"}}}) {
    c.probe({.plugin = "path_discontinuity",
             .values = {{"path_jumps", [](std::int64_t) { return 3.0; }}},
             .params = params});
  }

  EXPECT_EQ(to_string(reading_of(c.verdict(), "path_jumps").state), std::string("lacks evidence"));
}

}  // namespace
}  // namespace unmask::verdict::evidence_test
