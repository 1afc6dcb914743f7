// Networks as people bring them: no gradient, probabilities for logits, writing into their input.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"
#include "support/pixel_images.hpp"

namespace unmask::test::odd_networks_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A study of some of these networks.
// @param names  "detached", ...  @param evaluate  the stage
std::string study_of(const std::vector<std::string>& names, const std::string& evaluate) {
  // Named, since GCC 12 sees writes out of bounds in a text that is put together in one expression.
  const std::string folder = std::string(UNMASK_SOURCE_DIR) + "/tests/data/torchscript/";
  nlohmann::json models;
  for (const std::string& name : names) {
    models[name] = {{"plugin", "torchscript"}, {"params", {{"file", folder + name + ".pt"}}}};
  }
  return R"j({ "version": 1, "name": "odd",
    "define": {
      "dataset": { "pixels": { "plugin": "tensors", "params": { "file": "pixels.st", "num_classes": 10 } } },
      "model": )j" +
         models.dump() + R"j(,
      "objective": { "as_it_is": { "plugin": "cross_entropy", "params": { "epochs": 0 } } },
      "solver": { "none": { "plugin": "euler" } },
      "attack": {
        "pgd": { "plugin": "pgd", "params": { "steps": 3, "random_start": false } },
        "fgsm": { "plugin": "fgsm" },
        "apgd": { "plugin": "apgd", "params": { "steps": 3 } },
        "fab": { "plugin": "fab", "params": { "steps": 3 } },
        "deepfool": { "plugin": "deepfool", "params": { "steps": 3 } },
        "cw_l2": { "plugin": "cw_l2", "params": { "steps": 3, "search_steps": 1 } },
        "fmn": { "plugin": "fmn", "params": { "steps": 3 } },
        "square": { "plugin": "square", "params": { "queries": 2000 } },
        "noise": { "plugin": "random_noise", "params": { "repeats": 5 } },
        "all": { "plugin": "autoattack", "params": { "steps": 3, "queries": 2000 } } },
      "probe": { "norms": { "plugin": "gradient_norm" } } },
    "train": { "matrix": { "dataset": "*", "model": "*", "objective": "*", "solver": "*" } },
    "evaluate": )j" +
         evaluate + " }";
}

Outcome run_odd(const Sandbox& box,
                const std::vector<std::string>& names,
                const std::string& evaluate) {
  box.write("pixels.st", pixel_images());
  return box.run(box.write("odd.json", study_of(names, evaluate)));
}

constexpr const char* kClean = R"({ "matrix": { "clean": true } })";

TEST(OddNetwork, ThatAnswersWithProbabilitiesShallEndEarlier) {
  const Sandbox box;

  const Outcome outcome = run_odd(box, {"softmax"}, kClean);

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("warning: the model \"softmax\" answers with probabilities"),
                    HasSubstr("\"output\": \"softmax\""),
                    Not(HasSubstr("zeros and ones"))));
}

// Nothing is left of the logits: to leave out a softmax is no advice.
TEST(OddNetwork, ThatAnswersWithZerosAndOnesShallBeAskedWithoutGradients) {
  const Sandbox box;

  const Outcome outcome = run_odd(box, {"one_hot"}, kClean);

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("warning: the model \"one_hot\" answers with zeros and ones alone"),
                    HasSubstr("without gradients"),
                    Not(HasSubstr("\"output\": \"softmax\""))));
  EXPECT_EQ(box.ask("SELECT value FROM metric WHERE name = 'output_is_one_hot'"), "1\n");
}

// No gradient is a zero gradient: every attack runs, finds nothing and says so; those that need none
// find that no image stands. Which points they draw changes with the sources of the plugins: about
// one image in eighty stands after 400 queries, so none should after 2,000.
TEST(OddNetwork, WithoutGradientIsAttackedLikeAnyOther) {
  const Sandbox box;

  const Outcome outcome =
      run_odd(box,
              {"detached", "compares"},
              R"j({ "matrix": { "clean": true, "probes": ["norms"], "epsilon": [0.35],
        "attack": ["pgd", "fgsm", "apgd", "fab", "deepfool", "cw_l2", "fmn", "square", "all"] } })j");

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(box.ask("SELECT model, attack FROM accuracy WHERE clean_correct <> 40"), "");
  EXPECT_EQ(box.ask("SELECT attack, robust_correct FROM accuracy "
                    "WHERE attack IN ('square', 'all') AND robust_correct > 0"),
            "");
  // apgd starts at a random point, which may do.
  EXPECT_EQ(box.ask("SELECT DISTINCT attack FROM accuracy "
                    "WHERE attack NOT IN ('apgd', 'square', 'all') AND robust_correct < 40"),
            "");
  EXPECT_EQ(box.ask("SELECT model, count(*), min(value) FROM metrics "
                    "WHERE name = 'check.zero_gradient' AND method NOT IN ('square', 'clean') "
                    "GROUP BY model ORDER BY model"),
            "compares,8,1\ndetached,8,1\n");
  EXPECT_EQ(box.ask("SELECT count(*) FROM cells WHERE kind = 'probe' AND state = 'done'"), "2\n");
}

// What a network writes into its input does not reach the host's images.
TEST(OddNetwork, ThatWritesIntoItsInputGetsACopy) {
  const Sandbox box;

  const Outcome outcome = run_odd(box,
                                  {"in_place", "out_of_place"},
                                  R"j({ "matrix": { "clean": true, "epsilon": [0.35],
        "attack": ["pgd", "square", "noise"] } })j");

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, Not(HasSubstr("outside of its ball")));
  EXPECT_EQ(box.ask("SELECT model FROM accuracy WHERE attack = 'clean' AND clean_correct <> 40"),
            "");
  // With images that the network had changed, each kept all 40; they draw other points.
  EXPECT_EQ(box.ask("SELECT model, attack, robust_correct FROM accuracy "
                    "WHERE attack <> 'clean' AND robust_correct > 10"),
            "");
  EXPECT_EQ(
      box.ask("SELECT count(*) FROM sample_outcome WHERE distance > 0.35 * (1 + 1e-6) + 1e-7"),
      "0\n");
  EXPECT_EQ(box.ask("SELECT count(*), max(value) FROM metrics WHERE name = 'threat_violations'"),
            "8,0\n");
}

// Right when it is asked for the first time and wrong ever after: each canonical batch, whether it is
// the first or the second one, finds the network of the file, and so does each cell.
TEST(OddNetwork, ThatWritesIntoItselfIsTheOneOfItsFileInEveryBatch) {
  const Sandbox box;

  const Outcome outcome = run_odd(
      box,
      {"forgetful"},
      R"j({ "batch_size": 20, "matrix": { "clean": true, "epsilon": [0.01], "attack": ["pgd", "noise"] } })j");

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(box.ask("SELECT attack, clean_correct FROM accuracy ORDER BY attack"),
            "clean,40\nnoise,40\npgd,40\n");
  EXPECT_EQ(
      box.ask("SELECT method, value FROM metrics WHERE name = 'check.changes_itself' ORDER BY 1"),
      "noise,2\npgd,2\n")
      << "both buffers";
}

}  // namespace
}  // namespace unmask::test::odd_networks_test
