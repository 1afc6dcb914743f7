// Verdicts on networks whose truth is known, as `unmask judge` would come to them: tests/data/verdicts/README.md says
// which they are and why their truth is certain. Networks of one kind share a study, since starting an engine for each
// would cost more than all attacks on it; the evidence is that of `unmask judge` at its quick budget.

#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cli/judge_manifest.hpp"
#include "integration/sandbox.hpp"

namespace unmask::test::known_verdicts_test {
namespace {

namespace fs = std::filesystem;
using cli::JudgeFindings;
using cli::JudgeRequest;
using nlohmann::json;
using nlohmann::ordered_json;

const fs::path kFolder = fs::path(UNMASK_TEST_DATA) / "verdicts";
constexpr std::int64_t kSeeds = 3;

// Networks that are judged together.
struct Group {
  std::string name;
  std::vector<std::string> networks;  // masked_* are masked, and no others
  JudgeFindings findings;             // what a look at them finds
};

const std::vector<Group> kFiles = {
    {"honest",
     {"honest_mlp",
      "honest_tanh",
      "honest_cnn",
      "honest_linear",
      "honest_normalised",
      "honest_confident",
      "honest_log_softmax",
      "honest_oscillating",
      "honest_winners",
      "honest_probabilities",
      "robust_linear",
      "robust_cnn"},
     {}},
    {"masked",
     {"masked_no_gradient",
      "masked_scaled",
      "masked_softmax",
      "masked_saturated",
      "masked_quantised",
      "masked_rounded_logits",
      "masked_rounded_probabilities",
      "masked_thermometer",
      "masked_flipped",
      "masked_waved",
      "masked_decoy"},
     {}},
    {"random", {"honest_much_noise", "honest_dropout", "masked_random_waves"}, {.is_random = true}},
    {"coupled", {"masked_batch_leak", "masked_batch_statistics"}, {.is_batch_coupled = true}},
    {"labels", {"masked_labels"}, {.is_one_hot = true}}};

std::string truth_of(const std::string& network) {
  return network.starts_with("masked") ? "masked" : "not detected";
}

// How often a truth got a judgement.
class Confusion {
 public:
  void add(const std::string& truth, const std::string& judgement) { ++counts_[truth][judgement]; }

  std::string text() const {
    static const std::vector<std::string> kJudgements = {
        "masked", "suspect", "not detected", "insufficient evidence"};
    std::ostringstream out;
    out << std::left << std::setw(kWidth) << "truth" << std::right;
    for (const std::string& judgement : kJudgements) out << std::setw(kWidth) << judgement;
    for (const auto& [truth, row] : counts_) {
      out << "\n" << std::left << std::setw(kWidth) << truth << std::right;
      for (const std::string& judgement : kJudgements) {
        const auto found = row.find(judgement);
        out << std::setw(kWidth) << (found == row.end() ? 0 : found->second);
      }
    }
    return out.str() + "\n";
  }

 private:
  static constexpr int kWidth = 23;
  std::map<std::string, std::map<std::string, int>> counts_;
};

class KnownVerdicts : public ::testing::Test {
 protected:
  static JudgeRequest request_for(const Group& group, const std::string& epsilon) {
    JudgeRequest request;
    request.subject.name = "known-" + group.name;
    request.findings = group.findings;
    request.epsilons = {epsilon};
    request.samples = 60;
    return request;
  }

  static JudgeRequest request_for_files(const Group& group) {
    JudgeRequest request = request_for(group, "0.1");
    ordered_json& define = request.subject.define;
    define["dataset"]["images"] = {
        {"plugin", "tensors"}, {"params", {{"file", (kFolder / "images.safetensors").string()}}}};
    for (const std::string& name : group.networks) {
      define["model"][name] = {{"plugin", "torchscript"},
                               {"params", {{"file", (kFolder / (name + ".pt")).string()}}}};
    }
    define["objective"]["as_it_is"] = {{"plugin", "cross_entropy"}, {"params", {{"epochs", 0}}}};
    define["solver"]["none"] = {{"plugin", "euler"}};
    request.subject.training = {{"dataset", "images"},
                                {"model", group.networks},
                                {"objective", "as_it_is"},
                                {"solver", "none"}};
    return request;
  }

  // Runs a manifest. @return what its study's verdicts say at one radius
  json verdicts(const std::string& study, const std::string& manifest, double radius) const {
    const Outcome outcome = box_.run(box_.write(study + ".json", manifest));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const Outcome told = box_.unmask(
        {"verdict", "study=" + study, "--format", "json", "--db", box_.database().string()});
    EXPECT_EQ(told.code, 0) << told.err;
    json wanted = json::array();
    for (const json& verdict : json::parse(told.out)) {
      if (verdict.at("epsilon") == radius) wanted.push_back(verdict);
    }
    return wanted;
  }

  json verdicts(const JudgeRequest& request) const {
    const cli::JudgeManifest manifest = cli::judge_manifest(request);
    return verdicts(
        manifest.study, manifest.text, cli::parse_radius(request.epsilons.front(), request.norm));
  }

  // Whether a judgement is the truth, and if it is not, all that it rests on.
  void expect(const json& verdict, const std::string& truth, std::int64_t seed) {
    const std::string judgement = verdict.at("judgement").get<std::string>();
    confusion_.add(truth, judgement);
    EXPECT_EQ(judgement, truth) << verdict.at("model") << " by attacks of seed " << seed << "\n"
                                << verdict.dump(1);
  }

  Sandbox box_;
  Confusion confusion_;
};

TEST_F(KnownVerdicts, AreRightAtThreeSeeds) {
  for (const Group& group : kFiles) {
    for (std::int64_t seed = 0; seed < kSeeds; ++seed) {
      JudgeRequest request = request_for_files(group);
      request.seed = seed;
      const json found = verdicts(request);
      EXPECT_EQ(found.size(), group.networks.size()) << group.name;
      for (const json& verdict : found) {
        expect(verdict, truth_of(verdict.at("model").get<std::string>()), seed);
      }
    }
  }
  std::cout << confusion_.text();
}

// Trained here, from three seeds: naturally, and by two kinds of adversarial training, which hold.
TEST_F(KnownVerdicts, OfTrainedNetworksAreRightAtThreeSeeds) {
  for (std::int64_t seed = 0; seed < kSeeds; ++seed) {
    JudgeRequest request = request_for({"trained", {}, {}}, "0.03");
    request.seed = seed;
    request.subject.extends = (kFolder / "trained.json").string();
    request.subject.training = {{"dataset", "strokes"},
                                {"model", "mlp"},
                                {"objective", {"natural", "madry", "trades"}},
                                {"solver", "none"},
                                {"seed", seed}};
    const json found = verdicts(request);
    EXPECT_EQ(found.size(), 3u);
    for (const json& verdict : found) expect(verdict, "not detected", seed);
  }
  std::cout << confusion_.text();
}

// One architecture: under fixed steps its gradient is honest, under adaptive ones that a batch shares it is masked.
TEST_F(KnownVerdicts, OfOdeNetworksDependOnTheSolver) {
  for (std::int64_t seed = 0; seed < kSeeds; ++seed) {
    const std::string study = "so-resnet-" + std::to_string(seed);
    const json manifest = {{"version", 1},
                           {"name", study},
                           {"extends", {(kFolder / "so_resnet.json").string()}},
                           {"evaluate", {{"matrix", {{"seed", {seed}}}}}}};
    const json found = verdicts(study, manifest.dump(), 0.04);
    EXPECT_EQ(found.size(), 2u);
    for (const json& verdict : found) {
      expect(verdict, verdict.at("solver") == "bosh3" ? "masked" : "not detected", seed);
    }
  }
  std::cout << confusion_.text();
}

// The only way to that judgement: without attacks that only ask, what a gradient leaves says nothing; nor do ten images.
TEST_F(KnownVerdicts, AreMissingWhereEvidenceIsWithheld) {
  const Group group = {"withheld", {"masked_flipped", "robust_linear"}, {}};
  JudgeRequest few = request_for_files(group);
  few.samples = 10;
  json bare = json::parse(
      cli::judge_manifest(request_for_files(group)).text, nullptr, true, /*ignore_comments=*/true);
  bare["name"] = "bare";
  bare["evaluate"]["matrix"]["attack"] = {"pgd"};
  bare["evaluate"]["matrix"]["epsilon"] = {0.05};
  bare["evaluate"]["matrix"].erase("probes");
  bare["evaluate"]["add"] = json::array();

  for (const json& found : {verdicts(few), verdicts("bare", bare.dump(), 0.05)}) {
    EXPECT_EQ(found.size(), 2u);
    for (const json& verdict : found) expect(verdict, "insufficient evidence", 0);
  }
  std::cout << confusion_.text();
}

}  // namespace
}  // namespace unmask::test::known_verdicts_test
