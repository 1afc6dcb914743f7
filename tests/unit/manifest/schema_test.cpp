// The schema of manifests against the corpus: it fits every good manifest, and refuses every bad one
// but those whose error it cannot express, which are listed here by name.

#include "manifest/schema.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fake_catalog.hpp"
#include "manifest/keys.hpp"
#include "support/schema_complaint.hpp"

namespace unmask::manifest::schema_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kManifests = fs::path(UNMASK_TEST_DATA) / "manifests";

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What the schema of one file cannot know.
const std::set<std::string>& inexpressible() {
  static const std::set<std::string> kNames = {
      // JSON itself is silent about keys that come twice.
      "duplicate-key",
      "duplicate-key-definition",
      // Rules between values, and what a value means for each epsilon.
      "conflict-constant-controller",
      "conflict-milestone-order",
      "conflict-milestones",
      "conflict-schedule",
      "conflict-step-limits",
      "ensemble-batch-sizes",
      "ensemble-epsilon-out-of-range",
      "evaluate-epsilon-beyond-images",
      "evaluate-epsilon-in-steps",
      "evaluate-gradient-mean-twice",
      "param-epsilon-out-of-range",
      "param-epsilon-zero",
      "param-ratio-out-of-range",
      "evaluate-zip-checkpoint-lengths",
      "train-zip-lengths",
      "train-zip-twice",
      // Which names the file defines, and what globs match.
      "crlf-and-bom",
      "define-extends-cycle",
      "define-extends-unknown",
      "define-ignored-name",
      "ensemble-duplicate-member",
      "ensemble-extended",
      "ensemble-matches-nothing",
      "ensemble-named-clean",
      "ensemble-of-ensembles",
      "ensemble-of-itself",
      "ensemble-unknown-member",
      "evaluate-attack-as-probe",
      "evaluate-checkpoint-pattern",
      "evaluate-clean-name-taken",
      "evaluate-gradient-mean-unknown",
      "evaluate-probe-needs-epsilon",
      "evaluate-source-solver",
      "evaluate-source-unknown",
      "evaluate-unknown-attack",
      "evaluate-unknown-checkpoint",
      "gradients-unknown",
      "train-glob-matches-nothing",
      "train-negation-takes-nothing",
      "train-unknown-solver",
      // The plugin of an inherited definition, and names that sweeps make.
      "sweep-bare-name",
      "sweep-extended",
      "sweep-given-twice",
      "sweep-name-taken",
      "sweep-name-taken-before",
      "sweep-name-too-long",
      "sweep-same-names",
      "sweep-unknown-parameter",
      "sweep-value-out-of-range",
      // Which cells there are.
      "evaluate-rule-misspelt",
      "evaluate-rule-part",
      "evaluate-rule-unused-epsilon",
      "train-all-excluded",
      "train-matrix-too-large",
      "train-nothing-left",
      "train-rule-never",
      "train-rule-not-together",
      "train-rule-seed",
      // Other files, folders and the environment.
      "extends-broken-base",
      "extends-cycle",
      "extends-folder",
      "extends-missing-file",
      "extends-own-file",
      "extends-wrong-base",
      "paths-cycle",
      "paths-placeholder",
      "paths-unknown",
  };
  return kNames;
}

class ManifestSchema : public ::testing::Test {
 protected:
  const test::JsonSchema schema_{manifest_schema(testing::fake_catalog())};
};

TEST_F(ManifestSchema, FitsEveryGoodManifest) {
  const std::vector<fs::path> files = files_of(kManifests / "good");
  ASSERT_FALSE(files.empty());
  for (const fs::path& file : files) {
    const auto document = test::read_json(file);
    ASSERT_TRUE(document) << file;
    EXPECT_EQ(schema_.complaint(*document), "") << file;
  }
}

TEST_F(ManifestSchema, RefusesEveryBadManifestThatItCan) {
  std::set<std::string> seen;
  for (const fs::path& file : files_of(kManifests / "bad")) {
    const auto document = test::read_json(file);
    if (!document) continue;  // an editor says so without a schema
    const std::string name = file.stem().string();
    const bool is_listed = inexpressible().contains(name);
    if (is_listed) seen.insert(name);
    EXPECT_EQ(schema_.complaint(*document).empty(), is_listed)
        << name << (is_listed ? " is refused after all: take it off the list" : " is accepted");
  }
  EXPECT_EQ(seen, inexpressible()) << "the list names manifests that are not there";
}

TEST_F(ManifestSchema, ExplainsParametersAndPlugins) {
  const json schema = manifest_schema(testing::fake_catalog());

  const json& steps = schema["definitions"]["attack_pgd_params"]["properties"]["steps"];
  EXPECT_EQ(steps["description"], "iterations");
  EXPECT_EQ(steps["default"], 20);
  const json& plugin = schema["definitions"]["attack"]["properties"]["plugin"];
  EXPECT_EQ(plugin["enum"], json({"none", "pgd", "apgd", "square"}));
}

// A key that the reader learns must be learned here, too.
TEST_F(ManifestSchema, KnowsEveryKeyOfADefinitionAndOfTheTop) {
  const json schema = manifest_schema(testing::fake_catalog());
  for (const std::string& key : keys_of(Scope::kRoot)) {
    EXPECT_TRUE(schema["properties"].contains(key)) << key;
  }
  for (const std::string& key : keys_of(Scope::kDefinition)) {
    bool is_known = false;
    for (const char* kind : catalog::kKinds) {
      is_known |= schema["definitions"][kind]["properties"].contains(key);
    }
    EXPECT_TRUE(is_known) << key;
  }
  const auto expect_all = [](Scope scope, const json& object) {
    for (const std::string& key : keys_of(scope)) {
      EXPECT_TRUE(object["properties"].contains(key)) << key;
    }
  };
  expect_all(Scope::kDefine, schema["properties"]["define"]);
  expect_all(Scope::kTrain, schema["properties"]["train"]);
  expect_all(Scope::kEvaluate, schema["properties"]["evaluate"]);
  expect_all(Scope::kRun, schema["properties"]["run"]);
  expect_all(Scope::kVerdict, schema["properties"]["verdict"]);
}

TEST_F(ManifestSchema, SaysWhichDialectItIsWrittenIn) {
  EXPECT_EQ(manifest_schema(testing::fake_catalog())["$schema"],
            "http://json-schema.org/draft-07/schema#");
}

}  // namespace
}  // namespace unmask::manifest::schema_test
