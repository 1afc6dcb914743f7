#include "cli/judge_manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "text/names.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli::judge_manifest_test {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

JudgeRequest request(Budget budget = Budget::kQuick) {
  JudgeRequest result;
  result.subject.name = "net";
  auto& define = result.subject.define;
  define["dataset"]["images"] = {{"plugin", "tensors"},
                                 {"params", {{"file", "/data/images.safetensors"}}}};
  define["model"]["net"] = {{"plugin", "torchscript"}, {"params", {{"file", "/data/net.pt"}}}};
  define["objective"]["as_it_is"] = {{"plugin", "cross_entropy"}, {"params", {{"epochs", 0}}}};
  define["solver"]["none"] = {{"plugin", "euler"}};
  result.subject.training = {
      {"dataset", "images"}, {"model", "net"}, {"objective", "as_it_is"}, {"solver", "none"}};
  result.epsilons = {"8/255", "0.1"};
  result.budget = budget;
  return result;
}

json parsed(const JudgeRequest& request) {
  return json::parse(judge_manifest(request).text, nullptr, true, /*ignore_comments=*/true);
}

std::vector<std::string> attacks(const JudgeRequest& request) {
  return parsed(request).at("evaluate").at("matrix").at("attack").get<std::vector<std::string>>();
}

TEST(JudgeManifest, IsTheOneThatTheFileShows) {
  const std::string file = std::string(UNMASK_TEST_DATA) + "/judge/quick.json";

  EXPECT_EQ(judge_manifest(request()).text, base::read_file(file));
}

TEST(JudgeManifest, EveryAttackAndProbeThatIsUsedIsDefined) {
  for (const Budget budget : {Budget::kQuick, Budget::kStandard, Budget::kThorough}) {
    for (const char* norm : {"linf", "l2"}) {
      for (const bool is_one_hot : {false, true}) {
        JudgeRequest asked = request(budget);
        asked.norm = norm;
        asked.findings = {.is_random = true,
                          .is_batch_coupled = true,
                          .is_one_hot = is_one_hot,
                          .has_no_gradient = true};
        const json manifest = parsed(asked);
        const json& matrix = manifest.at("evaluate").at("matrix");

        EXPECT_EQ(matrix.at("attack").size(), manifest.at("define").at("attack").size());
        EXPECT_EQ(matrix.at("probes").size(), manifest.at("define").at("probe").size());
        for (const auto& [name, definition] : manifest.at("define").at("attack").items()) {
          const bool has_a_choice = definition.contains("params") &&
                                    !definition.contains("extends") && name != "noise" &&
                                    name != "spsa";
          if (has_a_choice) {
            EXPECT_EQ(definition.at("params").at("norm"), norm) << name;
          }
        }
      }
    }
  }
}

TEST(JudgeManifest, NamesTheStudyByWhatIsAsked) {
  const std::string study = judge_manifest(request()).study;
  JudgeRequest other = request();
  other.epsilons = {"0.1"};
  JudgeRequest looked = request();
  looked.findings.is_random = true;
  JudgeRequest reseeded = request();
  reseeded.seed = 1;

  EXPECT_TRUE(words::is_valid_name(study)) << study;
  EXPECT_NE(judge_manifest(other).study, study);
  EXPECT_NE(judge_manifest(reseeded).study, study);
  EXPECT_EQ(parsed(reseeded).at("evaluate").at("matrix").at("seed"), json::array({1}));
  EXPECT_EQ(parsed(reseeded).at("evaluate").at("add").at(0).at("seed"), 1);
  EXPECT_NE(judge_manifest(request(Budget::kStandard)).study, study);
  EXPECT_EQ(judge_manifest(looked).study, study) << "what a look finds is no other question";
  EXPECT_EQ(judge_manifest(request()).text, judge_manifest(request()).text);
}

TEST(JudgeManifest, AnswersToWhatALookFinds) {
  JudgeRequest coupled = request();
  coupled.findings.is_batch_coupled = true;
  JudgeRequest random = request();
  random.findings.is_random = true;

  JudgeRequest labels = request();
  labels.findings.is_one_hot = true;
  JudgeRequest flat = request(Budget::kStandard);
  flat.findings.has_no_gradient = true;
  const auto estimates = [](const JudgeRequest& asked) {
    const json params = parsed(asked).at("define").at("attack").at("spsa").at("params");
    return params.at("steps").get<int>() * params.at("pairs").get<int>();
  };

  EXPECT_GT(estimates(flat), 2 * estimates(request(Budget::kStandard)));
  const auto queries = [](const JudgeRequest& asked) {
    return parsed(asked)
        .at("define")
        .at("attack")
        .at("square")
        .at("params")
        .at("queries")
        .get<int>();
  };
  EXPECT_EQ(queries(request()), 5 * queries(random)) << "each is judged by many draws";
  EXPECT_THAT(attacks(flat), Contains("boundary_gradient"));
  EXPECT_THAT(attacks(request()), Not(Contains("boundary_gradient")));
  EXPECT_THAT(attacks(request()), Contains("rays"));
  EXPECT_THAT(attacks(random), Not(Contains("rays"))) << "a label of many draws tells little";
  EXPECT_THAT(attacks(coupled), Not(Contains("rays")));
  random.findings.is_one_hot = true;
  EXPECT_THAT(attacks(random), Contains("rays")) << "nothing else tells more";
  labels.norm = "l2";
  EXPECT_THAT(attacks(labels), Contains("hop_skip_jump")) << "rays are for linf";
  JudgeRequest l2 = request(Budget::kStandard);
  l2.norm = "l2";
  EXPECT_THAT(attacks(l2), Contains("boundary_gradient")) << "in the place of rays";
  EXPECT_THAT(attacks(request()), Not(Contains("square_alone")));
  EXPECT_THAT(attacks(request()), Not(Contains("pgd_averaged")));
  EXPECT_THAT(attacks(request()), Contains(judge_manifest(request()).look));
  EXPECT_THAT(attacks(coupled), Contains("square_alone"));
  EXPECT_THAT(attacks(random), Contains("pgd_averaged"));
  EXPECT_EQ(
      parsed(coupled).at("define").at("attack").at("square_alone").at("params").at("batch_size"),
      1);
  EXPECT_GT(parsed(random).at("define").at("attack").at("pgd_averaged").at("params").at("eot"), 1);
}

TEST(JudgeManifest, LetsOneAttackDoWhateverItLikes) {
  JudgeRequest asked = request();

  EXPECT_EQ(parsed(asked).at("evaluate").at("add").at(0).at("epsilon"), 1);
  asked.norm = "l2";
  EXPECT_EQ(parsed(asked).at("evaluate").at("add").at(0).at("epsilon"), 28);
  asked.norm = "linf";
  asked.epsilons = {"8/255", "1"};
  EXPECT_TRUE(parsed(asked).at("evaluate").at("add").empty()) << "it is asked for anyway";
}

TEST(JudgeManifest, OfAnotherStudyTakesNothingButTheNetwork) {
  JudgeRequest asked = request();
  asked.subject.define = nlohmann::ordered_json::object();
  asked.subject.extends = "/studies/study.json";

  const json manifest = parsed(asked);

  EXPECT_EQ(manifest.at("extends"), json::array({"/studies/study.json"}));
  EXPECT_EQ(manifest.at("train").at("matrix"), nullptr);
  EXPECT_EQ(manifest.at("train").at("add").size(), 1u);
  for (const char* axis : {"gradient", "source", "zip"}) {
    EXPECT_EQ(manifest.at("evaluate").at("matrix").at(axis), nullptr) << axis;
  }
  for (const char* key : {"exclude", "only", "save"}) {
    EXPECT_EQ(manifest.at("evaluate").at(key), nullptr) << key;
  }
  // Names of the study cannot be the same.
  for (const std::string& name : attacks(asked)) EXPECT_THAT(name, HasSubstr("judge."));
  EXPECT_EQ(manifest.at("define").at("attack").at("judge.pgd_alone").at("extends"), "judge.pgd");
}

TEST(JudgeCost, CountsEveryPassOfTheQuickBudget) {
  const JudgeCost cost = judge_cost(Budget::kQuick, "linf");

  // fgsm, pgd, pgd_alone, pgd_margin, square, rays, noise; then the probes, as docs/probes.md counts them:
  // confidence, batch_invariance, batch_gradient, gradient_norm, finite_differences.
  EXPECT_EQ(cost.forwards, 2 + 21 + 21 + 41 + 1000 + 1000 + 20 + (1 + 2 + 5 + 6 + 61));
  EXPECT_EQ(cost.backwards, 1 + 20 + 20 + 40 + (1 + 0 + 24 + 5 + 1));
}

TEST(JudgeCost, RisesWithTheBudget) {
  for (const char* norm : {"linf", "l2"}) {
    const JudgeCost quick = judge_cost(Budget::kQuick, norm);
    const JudgeCost standard = judge_cost(Budget::kStandard, norm);
    const JudgeCost thorough = judge_cost(Budget::kThorough, norm);

    EXPECT_LT(quick.forwards, standard.forwards);
    EXPECT_LT(standard.forwards, thorough.forwards);
    EXPECT_LT(quick.backwards, standard.backwards);
    EXPECT_LT(standard.backwards, thorough.backwards);
  }
}

std::string refusal(const std::string& text, const std::string& norm) {
  try {
    parse_radius(text, norm);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(ParseRadius, TakesRatiosAndDecimals) {
  EXPECT_EQ(parse_radius("8/255", "linf"), 8.0 / 255);
  EXPECT_EQ(parse_radius("0.03", "linf"), 0.03);
  EXPECT_EQ(parse_radius("3", "l2"), 3);
}

TEST(ParseRadius, SaysWhatIsWrong) {
  EXPECT_THAT(refusal("eight", "linf"), HasSubstr("such as 0.03 or 8/255"));
  EXPECT_THAT(refusal("0", "linf"), HasSubstr("above 0"));
  EXPECT_THAT(refusal("-0.1", "linf"), HasSubstr("above 0"));
  EXPECT_THAT(refusal("8", "linf"), HasSubstr("8/255"));
}

TEST(ParseBudget, KnowsThree) {
  EXPECT_EQ(parse_budget("standard"), Budget::kStandard);
  EXPECT_THROW(parse_budget("fast"), UsageError);
}

}  // namespace
}  // namespace unmask::cli::judge_manifest_test
