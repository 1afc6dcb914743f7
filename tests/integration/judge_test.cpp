// unmask judge, and the suite of known truths: as a new user runs them.

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"
#include "support/pixel_images.hpp"

namespace unmask::test::judge_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::string network(const std::string& name) {
  return std::string(UNMASK_SOURCE_DIR) + "/tests/data/torchscript/" + name + ".pt";
}

class Judge : public ::testing::Test {
 protected:
  Judge() { box_.write("pixels.st", pixel_images()); }

  // `unmask judge ...` on those images, in a few seconds.
  Outcome judge(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "judge");
    arguments.insert(arguments.end(), {"--db", box_.database().string()});
    return box_.unmask(arguments);
  }

  Outcome judge_file(const std::string& name, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {network(name),
                                          "--data",
                                          box_.path("pixels.st").string(),
                                          "--epsilon",
                                          "0.35",
                                          "--progress",
                                          "none"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return judge(arguments);
  }

  std::vector<fs::path> manifests() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(box_.path("judge"))) files.push_back(entry);
    return files;
  }

  Sandbox box_;
};

TEST_F(Judge, FindsTheMaskOfANetworkWithoutGradient) {
  const Outcome outcome = judge_file("detached");

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("detached: masked\n  linf 0.35: masked\n"));
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("decides: zero_gradient"),
                    HasSubstr("decides: black_box_gap"),
                    // The mask is broken: nothing stays right.
                    HasSubstr("worst case: 0.0 % of 40 images"),
                    HasSubstr("BPDA"),
                    HasSubstr("unmask verdict study=judge-detached-")));
  EXPECT_EQ(box_.ask("SELECT DISTINCT judgement FROM verdict WHERE epsilon < 1"), "masked\n");
}

TEST_F(Judge, DetectsNothingInAnHonestNetworkAndKeepsItsManifest) {
  const Outcome first = judge_file("out_of_place", {"--format", "json"});
  const std::string results = box_.results();
  const Outcome again = judge_file("out_of_place", {"--format", "json"});

  ASSERT_EQ(first.code, 0) << first.err;
  const json answer = json::parse(first.out);
  EXPECT_EQ(answer.at("judgement"), "not detected");
  EXPECT_EQ(answer.at("radii").at(0).at("worst_case"), 0);
  EXPECT_THAT(answer.at("remarks"), IsEmpty());
  EXPECT_THAT(answer.at("verdicts"), SizeIs(1)) << "nobody asked about the unbounded radius";
  EXPECT_EQ(again.out, first.out);
  EXPECT_EQ(box_.results(), results) << "nothing ran again";
  ASSERT_THAT(manifests(), SizeIs(1));
  EXPECT_EQ(answer.at("manifest"), fs::canonical(manifests().front()).string());

  // An ordinary manifest, which is never written over once somebody has edited it.
  EXPECT_EQ(box_.run(manifests().front()).code, 0);
  base::write_file_atomically(manifests().front(),
                              base::read_file(manifests().front()) + "// mine\n");
  const Outcome edited = judge_file("out_of_place");
  EXPECT_EQ(edited.code, 2);
  EXPECT_THAT(edited.err, HasSubstr("was edited"));
}

TEST_F(Judge, NoticesWhatUsersGetWrong) {
  const Outcome probabilities = judge_file("softmax");
  const Outcome classes = judge_file("out_of_place", {"--classes", "12"});

  EXPECT_EQ(probabilities.code, 0) << probabilities.err;
  EXPECT_THAT(probabilities.out, HasSubstr("--output softmax"));
  EXPECT_EQ(classes.code, 1);
  EXPECT_THAT(classes.out, AllOf(HasSubstr("classes apart"), HasSubstr("--classes")));
}

TEST_F(Judge, OfACheckpointUsesItsStudy) {
  const std::string study = R"({ "version": 1, "name": "theirs",
    "define": {
      "dataset": { "pixels": { "plugin": "tensors", "params": { "file": "pixels.st" } } },
      "model": { "net": { "plugin": "torchscript", "params": { "file": ")" +
                            network("detached") + R"(" } } },
      "objective": { "as_it_is": { "plugin": "cross_entropy", "params": { "epochs": 0 } } },
      "solver": { "none": { "plugin": "euler" } },
      "attack": { "pgd": { "plugin": "fgsm" } } },
    "train": { "matrix": { "dataset": "*", "model": "*", "objective": "*", "solver": "*" } },
    "evaluate": { "matrix": { "attack": ["pgd"], "epsilon": [0.1], "gradient": ["@eval"] } } })";
  ASSERT_EQ(box_.run(box_.write("theirs.json", study)).code, 0);
  const std::string key = box_.ask("SELECT DISTINCT key FROM cells WHERE kind = 'train'");

  const Outcome outcome = judge({key.substr(0, 12), "--epsilon", "0.35", "--progress", "none"});

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("net: masked\n"));
  EXPECT_EQ(box_.ask("SELECT DISTINCT key FROM cells WHERE kind = 'train'"), key)
      << "nothing was trained for it";
  EXPECT_EQ(box_.ask("SELECT count(*) FROM cells WHERE study GLOB 'judge-*' AND epsilon = 0.1"),
            "0\n")
      << "what the study asks is not asked again";
}

TEST_F(Judge, WritesManifestsThatPassCheckForEveryBudgetAndNorm) {
  for (const char* budget : {"quick", "standard", "thorough"}) {
    for (const char* norm : {"linf", "l2"}) {
      const std::string file = box_.path(std::string(budget) + "-" + norm + ".json").string();
      const Outcome written =
          judge_file("detached", {"--budget", budget, "--norm", norm, "--write-manifest", file});
      const Outcome checked = box_.unmask({"check", file});

      EXPECT_EQ(written.code, 0) << written.err;
      EXPECT_EQ(checked.code, 0) << budget << " " << norm << "\n" << checked.err;
    }
  }
  EXPECT_FALSE(fs::exists(box_.database())) << "it only writes";
}

TEST_F(Judge, WritesAManifestOverNothingElse) {
  const std::string file = box_.path("written.json").string();
  const auto write = [&] { return judge_file("detached", {"--write-manifest", file}); };
  EXPECT_EQ(write().code, 0);
  EXPECT_EQ(write().code, 0) << "the same again";
  box_.write("written.json", "// mine\n");

  const Outcome refused = write();

  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("holds something else"));
  EXPECT_EQ(base::read_file(file), "// mine\n");
}

TEST_F(Judge, OfWeightsNamesThePluginThatTheyAreFor) {
  box_.write("weights.safetensors", "not looked at");
  const std::string file = box_.path("written.json").string();

  const Outcome outcome = judge({"--model",
                                 "mlp",
                                 "--params",
                                 R"({"widths": [64]})",
                                 "--weights",
                                 box_.path("weights.safetensors").string(),
                                 "--solver",
                                 "euler",
                                 "--data",
                                 box_.path("pixels.st").string(),
                                 "--epsilon",
                                 "0.35",
                                 "--write-manifest",
                                 file});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const json manifest = json::parse(base::read_file(file), nullptr, true, /*ignore_comments=*/true);
  EXPECT_EQ(manifest.at("define").at("model").at("weights").at("plugin"), "mlp");
}

TEST_F(Judge, SaysWhatIsWrongWithTheCommandLine) {
  const std::string data = box_.path("pixels.st").string();
  const auto refusal = [&](const std::vector<std::string>& arguments) {
    const Outcome outcome = judge(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    return outcome.err;
  };
  const std::string net = network("detached");

  EXPECT_THAT(refusal({}), HasSubstr("--epsilon"));
  EXPECT_THAT(refusal({"--epsilon", "0.1"}), HasSubstr("name one network"));
  EXPECT_THAT(refusal({net, "--epsilon", "0.1"}), HasSubstr("--data"));
  EXPECT_THAT(refusal({net, "--data", data, "--epsilon", "8"}), HasSubstr("8/255"));
  EXPECT_THAT(refusal({net, "--data", data, "--epsilon", "0.1", "--budget", "quik"}),
              HasSubstr("did you mean \"quick\"?"));
  EXPECT_THAT(refusal({net, "--data", data, "--epsilon", "0.1", "--norm", "l7"}),
              HasSubstr("linf or l2"));
  EXPECT_THAT(refusal({net, "--data", data, "--epsilon", "0.1", "--solver", "rk4"}),
              HasSubstr("--solver means nothing for a TorchScript file"));
  EXPECT_THAT(refusal({net, "--data", data, "--epsilon", "0.1", "--samples", "0"}),
              HasSubstr("--samples"));
  EXPECT_THAT(refusal({net, "--data", data, "--epsilon", "0.1", "--format", "csv"}),
              HasSubstr("text or json"));
  EXPECT_EQ(box_.unmask({"judge", "--help"}).code, 0);
}

// --- scripts/verdict_suite.sh
// ---------------------------------------------------------------------

// A program that answers as `unmask judge` would: by the name of the file.
const char* const kStandIn = R"(#!/bin/sh
case "$2" in
  *masked*) judgement=masked; left=0.16 ;;
  *) judgement="not detected"; left=0.32 ;;
esac
echo "{\"judgement\": \"$judgement\", \"radii\": [{\"epsilon\": 0.1, \"worst_case\": $left}],
       \"verdicts\": [{\"rules\": [{\"rule\": \"black_box_gap\", \"state\": \"decides\"}]}]}"
)";

class Suite : public ::testing::Test {
 protected:
  // Exit code and output.
  Outcome run(const json& models) const {
    box_.write(
        "truth.json",
        json{{"images", "i.safetensors"}, {"n", 200}, {"eps", {0.1}}, {"models", models}}.dump());
    const fs::path program = box_.write("unmask", kStandIn);
    fs::permissions(program, fs::perms::owner_all);
    const base::ChildOutput child =
        base::run_child({"/usr/bin/env",
                         "UNMASK=" + program.string(),
                         std::string(UNMASK_SOURCE_DIR) + "/scripts/verdict_suite.sh",
                         box_.path("").string()},
                        100);
    return {child.status.exit_code.value_or(-1), child.out, child.err};
  }

  static json model(const std::string& file, const std::string& truth, double adaptive) {
    return {{"name", file}, {"file", file}, {"accept", {truth}}, {"adaptive", {{"0.1", adaptive}}}};
  }

  Sandbox box_;
};

TEST_F(Suite, SucceedsWhenEverythingIsRight) {
  const Outcome outcome =
      run({model("masked.pt", "masked", 10), model("plain.pt", "honest_weak", 30)});

  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("2 of 2 verdicts are right, 2 of 2 worst cases"));
  EXPECT_THAT(
      outcome.err,
      AllOf(HasSubstr("masked.pt              masked, in "), HasSubstr("not detected, in ")))
      << "who waits sees each verdict";
}

TEST_F(Suite, FailsForAWrongVerdict) {
  const Outcome outcome = run({model("masked.pt", "masked", 10), model("plain.pt", "masked", 30)});

  EXPECT_EQ(outcome.code, 1) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("1 of 2 verdicts are right, 2 of 2 worst cases"));
}

TEST_F(Suite, FailsForAMaskThatIsNotBroken) {
  // Braces around one value alone would make no list.
  const Outcome outcome = run(json::array({model("masked.pt", "masked", 5.9)}));

  EXPECT_EQ(outcome.code, 1) << outcome.out << outcome.err;
  EXPECT_THAT(
      outcome.out,
      AllOf(HasSubstr("MORE THAN 10 POINTS ABOVE"), HasSubstr("1 of 1 verdicts are right")));
}

}  // namespace
}  // namespace unmask::test::judge_test
