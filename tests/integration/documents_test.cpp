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
  // One training, one clean cell and two probes for each of the 8 networks; 2 seeds of 10 attacks
  // under each adaptive solver, 7 under rk4, 6 on the ResNet; on MNIST PGD at a second radius, too.
  const std::pair<const char*, int> studies[] = {{"mnist-solvers", 118}, {"cifar10-small", 98}};
  for (const auto& [name, cells] : studies) {
    const Outcome outcome =
        box.unmask({"plan",
                    std::string(UNMASK_SOURCE_DIR) + "/experiments/" + name + ".json",
                    "--db",
                    box.database().string()});

    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, testing::ContainsRegex("all +" + std::to_string(cells) + " "));
  }
}

// scripts/findings.sh --check on the database that is kept beside the tests.
base::ChildOutput check_findings(const std::vector<std::string>& pages) {
  const std::string kept = std::string(UNMASK_TEST_DATA) + "/findings/unmask.sqlite.gz";
  std::vector<std::string> argv = {"/usr/bin/env",
                                   std::string("UNMASK=") + UNMASK_BINARY_DIR + "/bin/unmask",
                                   std::string(UNMASK_SOURCE_DIR) + "/scripts/findings.sh",
                                   "--check",
                                   kept};
  argv.insert(argv.end(), pages.begin(), pages.end());
  return base::run_child(argv, 250);
}

TEST(Documents, TablesOfTheFindingsAreWhatTheDatabaseSays) {
  const base::ChildOutput child = check_findings({});

  EXPECT_TRUE(child.status.is_success())
      << child.out << child.err
      << "run: scripts/findings.sh (after scripts/findings.sh --export DATABASE for new results)";
}

TEST(Documents, AnotherNumberInATableOfTheFindingsIsNoticed) {
  const Sandbox box;
  std::string page = base::read_file(std::string(UNMASK_SOURCE_DIR) + "/docs/findings.md");
  const std::string begin = "<!-- table -->\n";
  const auto table = page.find(begin);
  ASSERT_NE(table, std::string::npos);
  const auto digit = page.find_first_of("0123456789", table + begin.size());
  ASSERT_LT(digit, page.find("<!-- end of table -->", table));
  page[digit] = page[digit] == '7' ? '8' : '7';

  const base::ChildOutput child = check_findings({box.write("findings.md", page).string()});

  EXPECT_EQ(child.status.exit_code, 1) << child.out << child.err;
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
