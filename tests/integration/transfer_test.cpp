// Attacks made on another network, through the mean of several solvers, and kept as images: from
// manifest to picture.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"
#include "unmask/sha256.hpp"
#include "wire/key.hpp"

namespace unmask::test::transfer_test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// The small study's ODE network and ResNet; `evaluate` is JSON.
std::string manifest_with(const std::string& evaluate) {
  return R"j({
  "version": 1, "name": "transfer",
  "define": {
    "dataset": { "strokes": { "plugin": "strokes", "params": { "train_count": 100, "test_count": 20 } } },
    "model": { "ode":  { "plugin": "so_resnet", "params": { "channels": 8, "blocks": [1, 1], "strides": [1, 2] } },
               "line": { "plugin": "linear" } },
    "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 1, "batch_size": 50, "learning_rate": 0.05 } } },
    "solver": { "bosh3": { "plugin": "bosh3", "params": { "rtol": 0.1, "atol": 0.1 } },
                "rk4":   { "plugin": "rk4" },
                "euler": { "plugin": "euler" } },
    "attack": { "pgd": { "plugin": "pgd", "params": { "steps": 3, "step_size": "${epsilon}/2" } } }
  },
  "train": { "matrix": { "dataset": ["*"], "model": ["ode", "line"], "objective": ["*"], "solver": ["bosh3"] } },
  "evaluate": )j" +
         evaluate + "}";
}

const char* const kTransfers = R"j({ "batch_size": 20, "save": "adversarials",
  "matrix": { "checkpoint": ["ode"], "attack": ["pgd"], "epsilon": [0.1],
              "source": ["@self", "@self:rk4", "line"] },
  "add": [ { "checkpoint": "ode", "solver": "bosh3", "attack": "pgd", "epsilon": 0.1,
             "gradient": "mean(rk4,euler)" } ] })j";

class Transfer : public testing::Test {
 protected:
  void run() {
    const Outcome outcome = box_.run(manifest_);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }

  // Key of the attack with this source and gradient.
  std::string key_of(const std::string& source, const std::string& gradient = "@eval") const {
    std::string key = box_.ask("SELECT key FROM labelled_cell WHERE method = 'pgd' AND source = '" +
                               source + "' AND gradient = '" + gradient + "'");
    while (!key.empty() && key.back() == '\n') key.pop_back();
    return key;
  }

  fs::path images_of(const std::string& key) const {
    return box_.path("adversarials") / (key + ".safetensors");
  }

  Sandbox box_;
  fs::path manifest_ = box_.write("transfer.json", manifest_with(kTransfers));
};

TEST_F(Transfer, RunsFromManifestToAnswers) {
  run();

  EXPECT_EQ(box_.ask("SELECT group_concat(name, ' ') FROM (SELECT source || '/' || gradient AS "
                     "name FROM accuracy ORDER BY name)"),
            "\"@self/@eval @self/mean(rk4,euler) @self:rk4/@eval "
            "line/strokes/natural/bosh3/0/@eval\"\n");
  // Every forward pass of the attack on a linear network is one without ODE.
  EXPECT_EQ(box_.ask("SELECT sum(phase IN ('attack', 'gradient')) FROM evaluations_per_solve "
                     "WHERE source GLOB 'line*'"),
            "0\n");
  EXPECT_EQ(box_.ask("SELECT count(*) FROM cell_plugin WHERE role IN ('gradient.0', 'gradient.1')"),
            "2\n");
}

TEST_F(Transfer, ExecutesACellAlone) {
  run();

  const Outcome outcome = box_.unmask({"exec",
                                       manifest_.string(),
                                       "--cell",
                                       key_of("line/strokes/natural/bosh3/0"),
                                       "--db",
                                       box_.database().string()});

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("robust_accuracy"));
}

// A file that is lost is made again by the same command, with the same bytes and the same rows.
TEST_F(Transfer, MakesLostImagesAgain) {
  run();
  const fs::path file = images_of(key_of("@self:rk4"));
  const std::string before = box_.results();
  const std::string hash = sha256_file(file);
  fs::remove(file);

  const Outcome again = box_.run(manifest_);

  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.err,
              HasSubstr("1 stored attack has no file of adversarial images; it will run"));
  EXPECT_EQ(sha256_file(file), hash);
  EXPECT_EQ(box_.results(), before);
}

TEST_F(Transfer, KeepsImagesOfAttacksThatWereStoredWithoutThem) {
  std::string evaluate = kTransfers;
  evaluate.replace(evaluate.find("\"save\""), std::string(R"("save": "adversarials",)").size(), "");
  ASSERT_EQ(box_.run(box_.write("before.json", manifest_with(evaluate))).code, 0);
  ASSERT_FALSE(fs::exists(box_.path("adversarials")));

  run();

  EXPECT_TRUE(fs::exists(images_of(key_of("@self"))));
  EXPECT_EQ(box_.ask("SELECT count(*) FROM attempt WHERE state = 'discarded'"), "4\n");
}

TEST_F(Transfer, DrawsWhatAnAttackDid) {
  run();
  const fs::path picture = box_.path("picture.png");

  const Outcome outcome = box_.unmask({"samples",
                                       key_of("@self").substr(0, 12),
                                       "--db",
                                       box_.database().string(),
                                       "--count",
                                       "3",
                                       "--format",
                                       "csv",
                                       "--png",
                                       picture.string()});

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              HasSubstr("sample,label,clean_prediction,prediction,distance,queries,passes\n0,"));
  EXPECT_EQ(base::read_file(picture).substr(1, 3), "PNG");
}

TEST_F(Transfer, SaysWhatIsMissingForAPicture) {
  run();
  const auto draw = [&](const std::string& key) {
    return box_.unmask({"samples",
                        key,
                        "--db",
                        box_.database().string(),
                        "--png",
                        box_.path("picture.png").string()});
  };
  fs::remove(images_of(key_of("@self")));

  const Outcome lost = draw(key_of("@self"));
  const Outcome unknown = draw("0000");

  EXPECT_EQ(lost.code, 5);
  EXPECT_THAT(lost.err, HasSubstr("is missing; run the study again"));
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("no stored attack has a key that begins with \"0000\""));
  EXPECT_FALSE(fs::exists(box_.path("picture.png")));
}

}  // namespace
}  // namespace unmask::test::transfer_test
