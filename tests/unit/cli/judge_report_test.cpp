#include "cli/judge_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verdict/rule.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::cli::judge_report_test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using verdict::Judgement;

verdict::Verdict verdict_of(Judgement judgement) {
  verdict::Verdict v;
  v.study = "judge-net-12345678";
  v.norm = "linf";
  v.epsilon = 0.1;
  v.epsilon_text = "0.1";
  v.judgement = judgement;
  v.n = 200;
  v.clean_correct = 190;
  v.plain_correct = 180;
  v.robust_correct = 32;
  v.strongest = "square";
  v.n_attacks = 6;
  return v;
}

JudgeReport report_of(const std::vector<Judgement>& judgements) {
  JudgeReport report;
  report.name = "net";
  report.study = "judge-net-12345678";
  report.manifest = "results/judge/judge-net-12345678.json";
  report.database = "results/unmask.sqlite";
  for (const Judgement judgement : judgements) report.verdicts.push_back(verdict_of(judgement));
  return report;
}

void let_decide(JudgeReport& report, const verdict::Rule& rule) {
  verdict::Reading reading;
  reading.rule = &rule;
  reading.state = verdict::RuleState::kDecides;
  reading.found.sentence = "100 of 190";
  report.verdicts.front().readings.push_back(reading);
}

TEST(Overall, IsTheGravest) {
  const auto of = [](const std::vector<Judgement>& judgements) {
    return overall(report_of(judgements).verdicts);
  };

  EXPECT_EQ(of({Judgement::kNotDetected, Judgement::kMasked}), Judgement::kMasked);
  EXPECT_EQ(of({Judgement::kSuspect, Judgement::kInsufficient}), Judgement::kSuspect);
  EXPECT_EQ(of({Judgement::kNotDetected, Judgement::kInsufficient}), Judgement::kInsufficient);
  EXPECT_EQ(of({Judgement::kNotDetected}), Judgement::kNotDetected);
  EXPECT_EQ(of({}), Judgement::kInsufficient);
}

TEST(JudgeText, HasTheVerdictTheWorstCaseAndTheDecidingRule) {
  JudgeReport report = report_of({Judgement::kMasked});
  let_decide(report, verdict::rules::kBlackBoxGap);

  const std::string text = text_of(report);

  EXPECT_THAT(text, ::testing::StartsWith("net: masked\n  linf 0.1: masked\n"));
  // Wilson's interval of 32 of 200 by hand: (k + z^2/2)/(n + z^2) = 0.1664, half width 0.0506, with
  // z = 1.96.
  EXPECT_THAT(text, HasSubstr("16.0 % of 200 images (95 % interval 11.6 to 21.7 %)"));
  EXPECT_THAT(text, HasSubstr("without an attack 95.0 %, after the plain gradient attack 90.0 %"));
  EXPECT_THAT(text, HasSubstr("decides: black_box_gap"));
  EXPECT_THAT(text, HasSubstr("what to do next"));
  EXPECT_THAT(text, Not(HasSubstr("what may be wrong")));
}

TEST(JudgeRemarks, AreSilentAboutAPlainNetwork) {
  JudgeReport report = report_of({Judgement::kNotDetected});
  report.seen.metrics = {{"check.randomised", 0},
                         {"check.batch_dependence", 1e-6},
                         {"output_is_probability", 0},
                         {"output_is_one_hot", 0}};
  report.seen.n_labels = 10;

  EXPECT_THAT(remarks_of(report), IsEmpty());
}

TEST(JudgeRemarks, NameWhatUsersGetWrong) {
  const auto remarks = [](const JudgeObservations& seen, std::int64_t clean = 190) {
    JudgeReport report = report_of({Judgement::kNotDetected});
    report.seen = seen;
    report.verdicts.front().clean_correct = clean;
    return remarks_of(report);
  };

  EXPECT_THAT(remarks({.metrics = {{"output_is_probability", 1}}}),
              ElementsAre(HasSubstr("--output softmax")));
  EXPECT_THAT(remarks({.metrics = {{"output_is_probability", 1}, {"output_is_one_hot", 1}}}),
              ElementsAre(HasSubstr("zeros and ones")));
  EXPECT_THAT(remarks({.metrics = {{"check.randomised", 0.3}}}),
              ElementsAre(HasSubstr("model.eval()")));
  EXPECT_THAT(remarks({.metrics = {{"check.batch_dependence", 0.3}}}),
              ElementsAre(HasSubstr("other images of the batch")));
  EXPECT_THAT(remarks({.metrics = {{"check.changes_itself", 1}}}),
              ElementsAre(HasSubstr("writes into its own weights or buffers")));
  EXPECT_THAT(remarks({.n_labels = 2}), ElementsAre(HasSubstr("two labels")));
  EXPECT_THAT(remarks({.n_labels = 1}), ElementsAre(HasSubstr("same label")));
  EXPECT_THAT(remarks({}, 99), ElementsAre(AllOf(HasSubstr("Only 49.5 %"), HasSubstr("--mean"))));
  EXPECT_THAT(remarks({.failures = {"the file tells 12 classes apart, the data set has 10"}}),
              ElementsAre(HasSubstr("Failed"), HasSubstr("--classes")));
}

TEST(JudgeRemarks, SayAReasonOnce) {
  JudgeReport report = report_of({Judgement::kNotDetected});
  report.seen.failures = {"attack pgd: it fails on one image\n  was it traced?",
                          "probe confidence: it fails on one image\n  was it traced?",
                          "the weights are gone"};

  EXPECT_THAT(
      remarks_of(report),
      ElementsAre("Failed: attack pgd, probe confidence: it fails on one image was it traced?",
                  "Failed: the weights are gone"));
}

TEST(JudgeNext, FollowsFromTheVerdict) {
  JudgeReport masked = report_of({Judgement::kMasked});
  let_decide(masked, verdict::rules::kZeroGradient);
  JudgeReport stopped = report_of({Judgement::kNotDetected});
  stopped.n_left = 3;

  EXPECT_THAT(next_steps(masked), Contains(HasSubstr("BPDA")));
  EXPECT_THAT(next_steps(masked), Contains(HasSubstr("upper bound")));
  EXPECT_THAT(next_steps(report_of({Judgement::kSuspect})), Contains(HasSubstr("--samples")));
  EXPECT_THAT(next_steps(report_of({Judgement::kNotDetected})),
              Contains(HasSubstr("no proof of robustness")));
  EXPECT_THAT(next_steps(report_of({})), Contains(HasSubstr("Evidence is missing")));
  EXPECT_THAT(next_steps(stopped), Contains(HasSubstr("3 cells")));
  EXPECT_THAT(next_steps(masked),
              Contains(HasSubstr("unmask verdict study=judge-net-12345678 --db "
                                 "results/unmask.sqlite")));
}

TEST(JudgeJson, HoldsTheSameNumbers) {
  const nlohmann::ordered_json answer = json_of(report_of({Judgement::kMasked}));

  EXPECT_EQ(answer.at("judgement"), "masked");
  EXPECT_EQ(answer.at("radii").at(0).at("worst_case"), 0.16);
  EXPECT_EQ(answer.at("radii").at(0).at("clean"), 0.95);
  EXPECT_EQ(answer.at("verdicts").size(), 1u);
}

}  // namespace
}  // namespace unmask::cli::judge_report_test
