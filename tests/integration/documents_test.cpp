// What is shipped beside the code says what is true.

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"

namespace unmask::test::documents_test {
namespace {

TEST(Documents, PluginReferenceIsWhatTheProgramPrints) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"plugins", "list", "--format", "markdown"});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, base::read_file(std::string(UNMASK_SOURCE_DIR) + "/docs/plugins.md"))
      << "run: build/ci/bin/unmask plugins list --format markdown > docs/plugins.md";
}

TEST(Documents, EveryShippedManifestPassesCheck) {
  const Sandbox box;
  int checked = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(UNMASK_SOURCE_DIR) + "/experiments")) {
    if (entry.path().extension() != ".json") continue;

    const Outcome outcome = box.unmask({"check", entry.path().string()});

    EXPECT_EQ(outcome.code, 0) << outcome.err;
    ++checked;
  }
  EXPECT_GE(checked, 2);
}

TEST(Documents, StudiesOfRealImagesFindTheirData) {
  const char* const data = std::getenv("UNMASK_DATA");
  if (data == nullptr || *data == '\0')
    GTEST_SKIP() << "UNMASK_DATA names no folder with data sets";
  const Sandbox box;
  for (const char* name : {"mnist-solvers", "cifar10-small"}) {
    const Outcome outcome =
        box.unmask({"plan",
                    std::string(UNMASK_SOURCE_DIR) + "/experiments/" + name + ".json",
                    "--db",
                    box.database().string()});

    EXPECT_EQ(outcome.code, 0) << outcome.err;
    // 2 seeds of 10 attacks under each adaptive solver, 7 under rk4, 6 on the ResNet; with one
    // training, one clean cell and two probes for each of the 8 networks.
    EXPECT_THAT(outcome.out, testing::ContainsRegex("all +98 "));
  }
}

TEST(Documents, TheManifestOfTheReadmePassesCheck) {
  const Sandbox box;
  const std::string readme = base::read_file(std::string(UNMASK_SOURCE_DIR) + "/README.md");
  const std::string fence = "```jsonc\n";
  const auto begin = readme.find(fence);
  ASSERT_NE(begin, std::string::npos);
  const auto first = begin + fence.size();

  const Outcome outcome = box.unmask(
      {"check",
       box.write("first.json", readme.substr(first, readme.find("```", first) - first)).string()});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

}  // namespace
}  // namespace unmask::test::documents_test
