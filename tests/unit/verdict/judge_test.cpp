// Verdicts over made-up evidence that resembles networks whose truth is known, and what becomes of
// them in the database.

#include "verdict/judge.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "catalog/verdict_thresholds.hpp"
#include "store/queries.hpp"
#include "unit/verdict/case.hpp"
#include "unmask/errors.hpp"
#include "verdict/report.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::judge_test {
namespace {

using testing::AttackRow;
using testing::Case;
using ::testing::ElementsAre;
using testing::first;
using ::testing::HasSubstr;
using testing::range;
using testing::reading_of;

std::string judgement_of(Case& c) {
  const Verdict verdict = c.verdict();
  return to_string(verdict.judgement);
}

// 200 images; what each attack leaves stands beside it, in percent, as measured on such networks.
AttackRow margin() {
  AttackRow row;
  row.name = "pgd_margin";
  row.params = {{"loss", "margin"}, {"steps", 100}};
  return row;
}

void probe_all(Case& c, double cosine_large, double batch_cosine) {
  c.probe({.plugin = "finite_differences",
           .values = {{"fd_cosine_large", [=](std::int64_t) { return cosine_large; }}},
           .n = 50});
  c.probe({.plugin = "batch_gradient",
           .values = {{"batch_cosine", [=](std::int64_t) { return batch_cosine; }}},
           .n = 50});
}

// Plain: 32, margin 30.5, square 40; square finds two that the others do not.
TEST(KnownTruth, AnHonestWeakNetworkIsNotDetected) {
  Case c(200, 5);
  c.plain(range(0, 136), {{"check.zero_gradient", 0}});
  c.attack(margin(), range(0, 139)).square(range(20, 120));
  probe_all(c, 0.97, 1);

  EXPECT_EQ(judgement_of(c), "not detected");
}

// Nothing is left for a mask to hide, and no black box is needed to say so.
TEST(KnownTruth, ANetworkThatFallsToThePlainAttackIsNotDetected) {
  Case c(200, 5);
  c.plain(range(0, 199), {{"check.zero_gradient", 0.05}});

  EXPECT_EQ(judgement_of(c), "not detected");
}

// 86 / 84.5 / 86: adversarially trained; square finds three points that PGD does not.
TEST(KnownTruth, ARobustNetworkIsNotDetected) {
  Case c(200, 5);
  c.plain(first(28), {{"check.zero_gradient", 0}});
  c.attack(margin(), first(31)).square(range(10, 34));
  probe_all(c, 0.99, 1);

  EXPECT_EQ(judgement_of(c), "not detected");
}

// 11 / 0.5: far beyond the radius of training more steps find ten points more. A weak attack, no mask.
TEST(KnownTruth, ARobustNetworkBeyondItsRadiusIsNotDetected) {
  Case c(200, 5);
  c.plain(first(178), {{"check.zero_gradient", 0}});
  c.attack(margin(), first(199)).square(first(150));
  probe_all(c, 0.95, 1);

  EXPECT_EQ(judgement_of(c), "not detected");
}

TEST(KnownTruth, AQuantiserIsMasked) {
  Case c(200, 4);
  c.plain(first(0), {{"check.zero_gradient", 1}});
  c.attack(margin(), first(0)).square(first(150));

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kMasked);
  EXPECT_THAT(verdict.sentence, HasSubstr("square"));
}

TEST(KnownTruth, AMaskThatNothingBreaksIsMaskedByItsGradient) {
  Case c(200, 4);
  c.plain(first(0), {{"check.zero_gradient", 1}});
  c.square(first(0));

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kMasked);
  EXPECT_THAT(verdict.sentence, HasSubstr("no gradient to follow"));
}

// 98.5 by cross-entropy, 17 by the margin: the gradient is zero on 98 % of the samples.
TEST(KnownTruth, ScaledLogitsAreMasked) {
  Case c(200, 2);
  c.plain(first(3), {{"check.zero_gradient", 0.98}});
  c.attack(margin(), first(166)).square(first(100));

  EXPECT_EQ(judgement_of(c), "masked");
}

// A robust network with logits times 1000: cross-entropy has no gradient, the margin has one, and finds three points more.
void scale_robust(Case& c, double zero_along_margin, std::int64_t fooled_by_margin) {
  c.plain(first(2), {{"check.zero_gradient", 0.99}});
  AttackRow row = margin();
  row.metrics = {{"check.zero_gradient", zero_along_margin}};
  c.attack(row, first(fooled_by_margin)).square(first(4));
  AttackRow whole = {.epsilon = 1};
  whole.metrics = {{"check.zero_gradient", 0.99}};
  c.attack(whole, first(2));
}

TEST(KnownTruth, ScaledLogitsOfARobustNetworkAreNotDetected) {
  Case c(200, 5);
  scale_robust(c, 0, 8);

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kNotDetected);
  EXPECT_EQ(reading_of(verdict, "zero_gradient").state, RuleState::kQuiet);
  EXPECT_EQ(reading_of(verdict, "unbounded").state, RuleState::kQuiet);
}

TEST(KnownTruth, WhereTheMarginFindsMoreTheyAreMasked) {
  Case c(200, 5);
  scale_robust(c, 0, 30);

  EXPECT_EQ(judgement_of(c), "masked");
}

TEST(KnownTruth, WhereTheMarginHasNoGradientEitherTheyAreMasked) {
  Case c(200, 5);
  scale_robust(c, 0.9, 8);

  EXPECT_EQ(judgement_of(c), "masked");
}

// An honest network, trained long: a few gradients underflow, and other losses find four points more.
TEST(KnownTruth, ALittleSaturationIsNotDetected) {
  Case c(200, 2);
  c.plain(first(100), {{"check.zero_gradient", 0.05}});
  c.attack(margin(), first(108)).square(first(80));
  c.probe({.plugin = "confidence",
           .values = {{"cross_entropy_zero", [](std::int64_t) { return 1.0; }},
                      {"loss_gradient_zero", [](std::int64_t i) { return i < 5 ? 1.0 : 0.0; }}},
           .n = 100});
  probe_all(c, 0.97, 1);

  EXPECT_EQ(judgement_of(c), "not detected");
}

TEST(KnownTruth, AShatteredGradientIsMaskedByDifferencesAlone) {
  Case c(200, 3);
  c.plain(first(12), {{"check.zero_gradient", 0}});
  c.square(first(14));
  probe_all(c, 0.05, 1);

  EXPECT_EQ(judgement_of(c), "masked");
}

TEST(KnownTruth, AWrongSignIsMasked) {
  Case c(200, 2);
  c.plain(first(0), {{"check.zero_gradient", 0}});
  c.square(first(20));
  probe_all(c, -1, 1);

  EXPECT_EQ(judgement_of(c), "masked");
}

TEST(KnownTruth, ABatchLeakIsMasked) {
  Case c(200, 2);
  c.plain(first(35), {{"check.zero_gradient", 0}, {"batch_coupled", 1}});
  c.square(range(20, 50));
  probe_all(c, 0.9, 0.1);

  EXPECT_EQ(judgement_of(c), "masked");
}

// Logits divided by 100: cross-entropy pulls to all classes at once and finds 34 less than the margin does, and than
// those who look at the margin from outside.
TEST(KnownTruth, ColdLogitsAreNotDetected) {
  Case c(200, 2);
  c.plain(first(134), {{"check.zero_gradient", 0}});
  c.attack(margin(), first(166)).square(first(164));
  probe_all(c, 0.97, 1);

  EXPECT_EQ(judgement_of(c), "not detected");
}

// Batch normalisation in training mode on a robust network: most of a gradient is that of other images, and
// an image alone is another matter; but attacks on single images and without gradients find nothing more.
TEST(KnownTruth, ABatchThatHidesNothingIsNotDetected) {
  Case c(200, 2);
  c.plain(first(30), {{"check.zero_gradient", 0}, {"batch_coupled", 1}});
  AttackRow alone;
  alone.name = "alone";
  alone.params = {{"batch_size", 1}};
  c.attack(alone, first(25)).square(range(5, 34));
  c.probe({.plugin = "finite_differences",
           .values = {{"fd_cosine_large", [](std::int64_t) { return 0.0; }}},
           .n = 50});
  c.probe({.plugin = "batch_gradient",
           .values = {{"batch_cosine", [](std::int64_t) { return 0.1; }},
                      {"leak_ratio", [](std::int64_t) { return 7.0; }}},
           .n = 50});
  c.probe({.plugin = "batch_invariance",
           .values = {{"logit_shift", [](std::int64_t) { return 0.8; }},
                      {"label_flip", [](std::int64_t i) { return i % 3 == 0 ? 1.0 : 0.0; }}},
           .n = 50});

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kNotDetected) << verdict.sentence;
  EXPECT_EQ(reading_of(verdict, "finite_differences").state, RuleState::kLacks)
      << "another network";
  EXPECT_EQ(reading_of(verdict, "leak_ratio").state, RuleState::kQuiet);
  EXPECT_THAT(reading_of(verdict, "leak_ratio").found.sentence, HasSubstr("it hides nothing"));
}

// The same where single images fall: something was hidden. And where an image alone is the same.
TEST(KnownTruth, ABatchThatHidesSomethingIsMasked) {
  Case leak(200, 2);
  leak.plain(first(30), {{"check.zero_gradient", 0}, {"batch_coupled", 1}});
  leak.square(range(5, 50));
  leak.probe({.plugin = "batch_gradient",
              .values = {{"leak_ratio", [](std::int64_t) { return 7.0; }}},
              .n = 50});
  Case wrong(200, 2);
  wrong.plain(first(30), {{"check.zero_gradient", 0}, {"batch_coupled", 1}}).square(first(30));
  probe_all(wrong, 0.0, 1);
  wrong.probe({.plugin = "batch_invariance",
               .values = {{"label_flip", [](std::int64_t i) { return i < 2 ? 1.0 : 0.0; }}},
               .n = 50});

  EXPECT_EQ(judgement_of(leak), "masked");
  EXPECT_EQ(judgement_of(wrong), "masked");
}

// One coarse step of rk4 is another function than many: an honest network whose rules disagree.
// A head that saturates on a third of the images: nothing finds anything there.
TEST(KnownTruth, AGradientThatIsGoneForAThirdIsMasked) {
  Case c(200, 2);
  c.plain(first(120), {{"check.zero_gradient", 0.35}});
  c.attack(margin(), first(120)).square(first(120));

  EXPECT_EQ(judgement_of(c), "masked");
}

// Noise in front: single gradients are draws, and differences of answers are, too. What decides is
// what other attacks find.
TEST(KnownTruth, ARandomNetworkIsNotMaskedForBeingRandom) {
  Case c(200, 2);
  c.plain(first(150), {{"check.zero_gradient", 0}, {"check.randomised", 0.02}});
  c.square(first(130));
  probe_all(c, 0.2, 1);

  EXPECT_EQ(judgement_of(c), "not detected");
}

TEST(KnownTruth, ACoarseSolverIsNotDetected) {
  Case c(200, 2);
  c.plain(first(195), {{"check.zero_gradient", 0}});
  c.square(first(150));
  c.probe({.plugin = "gradient_rules",
           .values = {{"cosine_rk4_fine", [](std::int64_t) { return 0.03; }}},
           .n = 50});
  probe_all(c, 0.998, 1);

  EXPECT_EQ(judgement_of(c), "not detected");
}

// --- how rules are put together ---

// 12 of 100 more, 3 fewer: p = P(X >= 12 of 15) = 576 / 32768 = 0.0176. Alone it decides; among four
// tests Holm makes 0.070 of it.
TEST(Judge, LookingManyTimesIsCorrectedFor) {
  const auto gap = [](Case& c) { c.plain(first(30)).square(range(3, 42)); };
  Case alone;
  gap(alone);
  EXPECT_EQ(judgement_of(alone), "masked");

  Case among;
  gap(among);
  for (const char* plugin : {"fgsm", "random_noise"}) {
    AttackRow row;
    row.name = plugin;
    row.plugin = plugin;
    among.attack(row, first(0));
  }
  among.attack(margin(), first(30));
  const Verdict verdict = among.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kNotDetected);
  const Reading reading = reading_of(verdict, "black_box_gap");
  EXPECT_NEAR(reading.found.p.value_or(-1), 576.0 / 32768, 1e-12);
  // Black box, noise, one step, another loss and its steps are four or five tests, whatever shares
  // an attack.
  EXPECT_GT(reading.p_adjusted.value_or(-1), 0.05);
}

TEST(Judge, SymptomsOfTwoKindsMakeSuspect) {
  Case c;
  c.plain(first(30), {{"check.zero_gradient", 0.15}, {"check.softmax_output", 1}})
      .square(first(30));

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kSuspect);
  EXPECT_THAT(verdict.sentence, HasSubstr("2 kinds of symptoms"));
}

// Dropout in front of a softmax: what a network is like is said, and no evidence of what its gradient is worth.
TEST(Judge, ThatANetworkIsRandomIsNoSymptom) {
  Case c;
  c.plain(first(30), {{"check.randomised", 0.1}, {"check.softmax_output", 1}}).square(first(30));

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kNotDetected) << verdict.sentence;
  EXPECT_EQ(reading_of(verdict, "randomised").state, RuleState::kNote);
}

TEST(Judge, OneSymptomAloneDoesNot) {
  Case c;
  c.plain(first(30), {{"check.softmax_output", 1}}).square(first(30));

  EXPECT_EQ(judgement_of(c), "not detected");
}

TEST(Judge, NotDetectedSaysByWhatAndWhatIsLeft) {
  Case c;
  c.plain(first(30)).square(first(32));

  const std::string sentence = c.verdict().sentence;

  EXPECT_THAT(sentence, HasSubstr("by pgd and square at linf 0.1; the strongest alone is square"));
  EXPECT_THAT(sentence, HasSubstr("68 of 100"));
  EXPECT_THAT(sentence, HasSubstr("no proof of robustness"));
}

TEST(Judge, WithoutABlackBoxThereIsNoVerdictAndOneLineSuppliesIt) {
  Case c;
  c.plain(first(30));

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kInsufficient);
  const MissingEvidence missing = missing_evidence(verdict).front();
  EXPECT_EQ(missing.rule, "black_box_gap");
  EXPECT_TRUE(missing.is_essential);
  EXPECT_THAT(missing.lines, HasSubstr("\"square\""));
}

TEST(Judge, WithoutAPlainAttackThereIsNoVerdict) {
  Case c;
  c.square(first(30));

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kInsufficient);
  EXPECT_TRUE(missing_evidence(verdict).front().is_essential);
  EXPECT_THAT(missing_evidence(verdict).front().lines, HasSubstr("\"pgd\""));
}

TEST(Judge, FewSamplesAreNoVerdict) {
  Case c(100, 80);
  c.plain(range(80, 82), {{"check.zero_gradient", 1}}).square(range(80, 100));

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kInsufficient);
  EXPECT_THAT(verdict.sentence, HasSubstr("only 20"));
}

TEST(Judge, WhatThePlanStillOwesIsSaid) {
  Case c;
  AttackRow late;
  late.name = "spsa";
  late.plugin = "spsa";
  late.has_result = false;
  c.plain(first(30)).square(first(30)).attack(late, first(0));

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.n_missing, 1);
  EXPECT_THAT(verdict.sentence, HasSubstr("1 planned cell has no result yet"));
}

TEST(Judge, TheSameEvidenceGivesTheSameVerdict) {
  Case c;
  c.plain(first(30)).square(first(50));
  probe_all(c, 0.4, 0.6);

  const std::string once = json_of(c.judge()).dump();

  EXPECT_GT(once.size(), 1000U);
  EXPECT_EQ(json_of(judge(c.store())).dump(), once);
}

// --- thresholds, filters ---

TEST(Thresholds, OfTheManifestCountAndAreKept) {
  Case c;
  c.plain(first(30)).square(first(50)).threshold("gap_masked", 0.4).threshold("gap_suspect", 0.3);

  const Verdict verdict = c.verdict();

  EXPECT_EQ(verdict.judgement, Judgement::kNotDetected);
  EXPECT_EQ(verdict.thresholds.at("gap_masked"), 0.4);
  EXPECT_EQ(to_record(verdict).thresholds.at("gap_masked"), 0.4);
}

TEST(Thresholds, OfTheCallerComeBeforeTheManifest) {
  Case c;
  c.plain(first(30)).square(first(50)).threshold("gap_masked", 0.4);
  c.run();

  EXPECT_EQ(judge(c.store(), {}, {{"gap_masked", 0.15}}).front().judgement, Judgement::kMasked);
  EXPECT_THROW(judge(c.store(), {}, {{"gap_maskd", 0.1}}), UsageError);
}

TEST(FilterTest, ChoosesByName) {
  Case c;
  AttackRow larger;
  larger.epsilon = 0.2;
  c.plain(first(30)).attack(larger, first(60));
  c.run();

  EXPECT_EQ(judge(c.store(), Filter({"epsilon=0.2,model=n*"})).size(), 1U);
  EXPECT_EQ(judge(c.store(), Filter({"epsilon=0.2", "epsilon=0.1"})).size(), 2U);
  EXPECT_EQ(judge(c.store(), Filter({"model=other"})).size(), 0U);
  EXPECT_THROW(Filter({"modle=net"}), UsageError);
  EXPECT_THROW(Filter({"net"}), UsageError);
}

TEST(FilterTest, FindsANetworkByEachOfItsNames) {
  Case c;
  AttackRow row;
  row.also_of_model = "twin";
  c.attack(row, first(30));
  c.run();

  ASSERT_EQ(judge(c.store()).size(), 1U);
  EXPECT_EQ(judge(c.store(), Filter({"model=twin,epsilon=0.1"})).size(), 1U);
  EXPECT_EQ(judge(c.store(), Filter({"model=net"})).size(), 1U);
  EXPECT_EQ(judge(c.store(), Filter({"model=twin,epsilon=0.2"})).size(), 0U);
}

// --- stored ---

std::string csv(store::Store& store, const std::string& sql) {
  return table::to_text(store::run_query(store, sql), table::Format::kCsv);
}

TEST(Stored, VerdictRulesAndCellsAreThere) {
  Case c;
  c.plain(first(30)).square(first(50));
  c.run();

  const auto records = renew(c.store(), "made up");

  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records.front().judgement, "masked");
  EXPECT_EQ(
      csv(c.store(), "SELECT judgement, clean_correct, plain_correct, robust_correct FROM verdict"),
      "judgement,clean_correct,plain_correct,robust_correct\nmasked,100,70,50\n");
  EXPECT_EQ(csv(c.store(), "SELECT state, value, n FROM verdict_rule WHERE rule = 'black_box_gap'"),
            "state,value,n\ndecides,0.2,100\n");
  // The number can be counted again from the rows of its cells.
  EXPECT_EQ(csv(c.store(),
                "SELECT count(*) AS n FROM sample_outcome a JOIN sample_outcome b ON b.sample = "
                "a.sample WHERE a.cell_id = (SELECT min(cell_id) FROM verdict_cell WHERE rule = "
                "'black_box_gap') AND b.cell_id = (SELECT max(cell_id) FROM verdict_cell WHERE "
                "rule = 'black_box_gap') AND a.prediction = a.label AND b.prediction <> b.label"),
            "n\n20\n");
}

TEST(Stored, NothingIsWrittenWhileTheEvidenceIsTheSame) {
  Case c;
  c.plain(first(30)).square(first(50));
  c.run();
  const auto before = renew(c.store(), "made up");
  const std::string ids = csv(c.store(), "SELECT made_at FROM verdict");

  const auto after = renew(c.store(), "made up");

  EXPECT_EQ(csv(c.store(), "SELECT made_at FROM verdict"), ids);
  ASSERT_EQ(after.size(), before.size());
  EXPECT_EQ(after.front().sentence, before.front().sentence);
  EXPECT_EQ(after.front().thresholds, before.front().thresholds);
}

TEST(Stored, NewEvidenceChangesTheVerdict) {
  Case c;
  c.plain(first(30)).square(first(30));
  c.run();
  EXPECT_EQ(renew(c.store(), "made up").front().judgement, "not detected");
  probe_all(c, -1, 1);
  c.run();

  EXPECT_EQ(renew(c.store(), "made up").front().judgement, "masked");
  EXPECT_EQ(csv(c.store(), "SELECT count(*) AS n FROM verdict"), "n\n1\n");
}

TEST(Stored, AVerdictDoesNotOutliveItsEvidence) {
  Case c;
  c.plain(first(30)).square(first(50));
  c.run();
  renew(c.store(), "made up");

  EXPECT_TRUE(c.store().discard_result(c.cells().back().key, "its file is gone"));

  EXPECT_EQ(csv(c.store(), "SELECT count(*) AS n FROM verdict"), "n\n0\n");
  EXPECT_EQ(csv(c.store(), "SELECT count(*) AS n FROM verdict_cell"), "n\n0\n");
}

// --- for people ---

TEST(Report, TextNamesEveryRuleOnce) {
  Case c;
  c.plain(first(30)).square(first(50));

  const std::string text = text_of(c.verdict());

  for (const Rule* rule : all_rules()) {
    EXPECT_THAT(text, HasSubstr("\n    " + std::string(rule->id) + " "));
  }
  EXPECT_THAT(text, HasSubstr("net/digits/ce/bosh3/0 under bosh3, linf 0.1: masked\n"));
}

TEST(Report, OneLineANetworkNamesTheGravest) {
  Case c;
  AttackRow larger;
  larger.epsilon = 0.2;
  c.plain(first(95)).attack(larger, first(20));
  larger.name = "square";
  larger.plugin = "square";
  c.attack(larger, first(99));
  c.run();

  EXPECT_THAT(lines_of(renew(c.store(), "made up")),
              ElementsAre(HasSubstr("net/digits/ce/bosh3/0 under bosh3: masked at linf 0.2: ")));
}

TEST(Report, TablesHaveARowForEachVerdictAndRule) {
  Case c;
  c.plain(first(30)).square(first(50));
  const auto verdicts = c.judge();

  EXPECT_EQ(table_of(verdicts).rows.size(), 1U);
  EXPECT_EQ(rules_of(verdicts).rows.size(), all_rules().size());
  for (const auto& row : rules_of(verdicts).rows) {
    EXPECT_EQ(row.size(), rules_of(verdicts).columns.size());
  }
  EXPECT_EQ(json_of(verdicts).at(0).at("rules").size(), all_rules().size());
}

TEST(Document, ListsEveryRuleAndThresholdWithItsValue) {
  const std::string text = base::read_file(std::string(UNMASK_SOURCE_DIR) + "/docs/verdicts.md");
  for (const Rule* rule : all_rules()) {
    EXPECT_THAT(text, HasSubstr("| `" + std::string(rule->id) + "` |"));
  }
  for (const catalog::VerdictThreshold& t : catalog::verdict_thresholds()) {
    EXPECT_THAT(text,
                HasSubstr("| `" + std::string(t.name) + "` | " + nlohmann::json(t.value).dump()));
  }
}

}  // namespace
}  // namespace unmask::verdict::judge_test
