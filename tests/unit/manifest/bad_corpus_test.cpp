// Every wrong manifest of tests/data/manifests/bad gives exactly the text in the .expected file
// beside it. To write the files anew after a deliberate change of a message, run this test with
// UNMASK_UPDATE_EXPECTED=1 and read the difference.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "fake_catalog.hpp"
#include "manifest/reader.hpp"

namespace unmask::manifest::bad_corpus_test {
namespace {

namespace fs = std::filesystem;

const fs::path kBad = fs::path(UNMASK_TEST_DATA) / "manifests" / "bad";

std::vector<std::string> corpus() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kBad)) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The messages, with the folder of this checkout taken out.
std::string messages(const std::string& name) {
  const ReadResult result = read_study(kBad / (name + ".json"), testing::fake_catalog());
  EXPECT_FALSE(result.study.has_value());
  std::string text = to_text(result.errors);
  const std::string folder = kBad.string() + "/";
  for (std::size_t at; (at = text.find(folder)) != std::string::npos;)
    text.erase(at, folder.size());
  return text;
}

class BadManifest : public ::testing::TestWithParam<std::string> {};

TEST_P(BadManifest, GivesTheExpectedMessages) {
  const fs::path expected = kBad / (GetParam() + ".expected");
  const std::string text = messages(GetParam());

  if (std::getenv("UNMASK_UPDATE_EXPECTED") != nullptr) {
    std::ofstream(expected, std::ios::binary) << text;
  }
  EXPECT_EQ(text, read_file(expected));
}

INSTANTIATE_TEST_SUITE_P(Corpus, BadManifest, ::testing::ValuesIn(corpus()), [](const auto& entry) {
  std::string name = entry.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(BadCorpus, HoldsAtLeastSixtyManifests) {
  EXPECT_GE(corpus().size(), 60U);
}

TEST(BadCorpus, EveryExpectedFileHasItsManifest) {
  for (const auto& entry : fs::directory_iterator(kBad)) {
    if (entry.path().extension() != ".expected") continue;
    EXPECT_TRUE(fs::exists(fs::path(entry.path()).replace_extension(".json"))) << entry.path();
  }
}

TEST(BadCorpus, ReachesEveryCode) {
  std::set<std::string> reached;
  for (const std::string& name : corpus()) {
    for (const Diagnostic& d :
         read_study(kBad / (name + ".json"), testing::fake_catalog()).errors) {
      reached.insert(d.code);
    }
  }
  const std::string header = read_file(fs::path(UNMASK_SOURCE_DIR) / "host/text/diagnostics.hpp");
  const std::regex code("M[0-9]{3}");
  for (auto it = std::sregex_iterator(header.begin(), header.end(), code);
       it != std::sregex_iterator();
       ++it) {
    // Only a real plugin raises M029; tests/integration/start_test.cpp does.
    EXPECT_TRUE(reached.contains(it->str()) || it->str() == "M029")
        << it->str() << " is tested by no manifest";
  }
}

}  // namespace
}  // namespace unmask::manifest::bad_corpus_test
