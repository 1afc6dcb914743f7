// Files that cannot be read at all, limits, and what the documentation promises.

#include "manifest/reader.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <string>

#include <gtest/gtest.h>

#include "fake_catalog.hpp"
#include "manifest/keys.hpp"

namespace unmask::manifest::reader_test {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in.good()) << file;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

class Reader : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "unmask-reader-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  static Diagnostic only_error(const fs::path& file) {
    const ReadResult result = read_study(file, testing::fake_catalog());
    EXPECT_FALSE(result.study.has_value());
    EXPECT_EQ(result.errors.size(), 1U) << to_text(result.errors);
    return result.errors.empty() ? Diagnostic{} : result.errors[0];
  }

  fs::path folder_;
};

TEST_F(Reader, MissingFileIsOneError) {
  const Diagnostic d = only_error(folder_ / "nothing.json");

  EXPECT_EQ(d.code, code::kUnreadable);
  EXPECT_EQ(to_text(d),
            (folder_ / "nothing.json").string() + ": error[M001]: there is no such file\n");
}

TEST_F(Reader, FolderIsOneError) {
  EXPECT_EQ(only_error(folder_).code, code::kUnreadable);
}

TEST_F(Reader, FileAboveTheLimitIsRefused) {
  const fs::path file = write("large.json", std::string(kLargestFile + 1, ' '));

  EXPECT_EQ(only_error(file).code, code::kLimit);
}

TEST_F(Reader, FilesOfAManifestAreLimited) {
  // every file extends the next
  for (int i = 0; i < 80; ++i) {
    write(std::to_string(i) + ".json",
          R"({ "extends": [")" + std::to_string(i + 1) + R"(.json"] })");
  }
  write("80.json", "{}");

  const ReadResult result = read_study(folder_ / "0.json", testing::fake_catalog());

  EXPECT_EQ(std::count_if(result.errors.begin(),
                          result.errors.end(),
                          [](const Diagnostic& d) { return d.code == code::kLimit; }),
            1);
}

TEST_F(Reader, ThresholdsOfVerdictsAreMergedAndEnterNothingElse) {
  const std::string rest = R"("version": 1, "define": {
      "dataset": { "d": { "plugin": "digits" } },
      "model": { "m": { "plugin": "resnet", "params": { "depth": 8 } } },
      "objective": { "o": { "plugin": "erm", "params": { "epochs": 1 } } },
      "solver": { "s": { "plugin": "rk4" } } },
    "train": { "matrix": { "dataset": ["d"], "model": ["m"], "objective": ["o"], "solver": ["s"] } })";
  write("base.json", R"({ "verdict": { "alpha": 0.01, "gap_masked": 0.2, "x-why": "strict" } })");
  const fs::path file =
      write("study.json",
            R"({ "extends": ["base.json"], "verdict": { "gap_masked": 0.3 }, )" + rest + "}");

  const ReadResult result = read_study(file, testing::fake_catalog());

  ASSERT_TRUE(result.study) << to_text(result.errors);
  const std::map<std::string, double> expected = {{"alpha", 0.01}, {"gap_masked", 0.3}};
  EXPECT_EQ(result.study->thresholds, expected);
  const ReadResult without =
      read_study(write("without.json", "{" + rest + "}"), testing::fake_catalog());
  ASSERT_TRUE(without.study) << to_text(without.errors);
  EXPECT_TRUE(without.study->thresholds.empty());
  EXPECT_EQ(result.study->train[0].model->params, without.study->train[0].model->params);
}

TEST_F(Reader, NullMeansNothingWhereNothingIsInherited) {
  write("base.json", R"({ "define": {
      "dataset": { "d": { "plugin": "digits" } },
      "model": { "m": { "plugin": "resnet", "params": { "depth": 8 } } },
      "objective": { "o": { "plugin": "erm", "params": { "epochs": 1 } } },
      "solver": { "s": { "plugin": "rk4" } } },
    "train": { "matrix": { "dataset": ["d"], "model": ["m"], "objective": ["o"], "solver": ["s"] } } })");
  const std::string text =
      R"({ "version": 1, "extends": ["base.json"], "run": null, "evaluate": null,
    "train": { "exclude": null, "only": null, "matrix": { "seed": null, "zip": null } )";

  const ReadResult result = read_study(write("study.json", text + "} }"), testing::fake_catalog());
  const ReadResult misspelt =
      read_study(write("misspelt.json", text + R"(, "exlude": null } })"), testing::fake_catalog());

  ASSERT_TRUE(result.study) << to_text(result.errors);
  EXPECT_EQ(result.study->train.size(), 1u);
  ASSERT_EQ(misspelt.errors.size(), 1u) << to_text(misspelt.errors);
  EXPECT_EQ(misspelt.errors[0].pointer, "/train/exlude");
}

TEST_F(Reader, FileThatIsExtendedTwiceIsReadOnce) {
  write("base.json", R"({ "dtype": "float16" })");
  write("a.json", R"({ "extends": ["base.json"] })");
  write("b.json", R"({ "extends": ["base.json"] })");
  const fs::path file =
      write("study.json", R"({ "version": 1, "extends": ["a.json", "b.json"], "train": {
      "matrix": { "dataset": ["d"], "model": ["m"], "objective": ["o"], "solver": ["s"] } } })");

  const ReadResult result = read_study(file, testing::fake_catalog());

  EXPECT_EQ(std::count_if(result.errors.begin(),
                          result.errors.end(),
                          [](const Diagnostic& d) { return d.pointer == "/dtype"; }),
            1);
}

TEST_F(Reader, LongChainOfDefinitionsIsRefusedInAnyOrder) {
  for (const bool forwards : {true, false}) {
    std::string definitions;
    for (int k = 0; k < 5000; ++k) {
      const int i = forwards ? k : 4999 - k;
      definitions +=
          (k > 0 ? "," : "") + std::string("\"s") + std::to_string(i) + "\": { " +
          (i == 0 ? "\"plugin\": \"rk4\"" : "\"extends\": \"s" + std::to_string(i - 1) + "\"") +
          " }";
    }
    const fs::path file = write(
        "chain.json",
        R"({ "version": 1, "define": { "solver": { )" + definitions + " } }, \"train\": {} }");

    const ReadResult result = read_study(file, testing::fake_catalog());

    EXPECT_TRUE(std::any_of(result.errors.begin(), result.errors.end(), [](const Diagnostic& d) {
      return d.code == code::kLimit;
    }));
  }
}

TEST_F(Reader, ClearMessageWhenThePluginNoneIsNotInstalled) {
  catalog::Catalog catalog = testing::fake_catalog();
  std::erase_if(catalog.plugins, [](const auto& plugin) { return plugin.id == "none"; });
  const fs::path file = write("study.json", R"({ "version": 1, "define": {
      "dataset": { "d": { "plugin": "digits" } }, "model": { "m": { "plugin": "odenet" } },
      "objective": { "o": { "plugin": "erm" } }, "solver": { "s": { "plugin": "rk4" } } },
    "train": { "matrix": { "dataset": "d", "model": "m", "objective": "o", "solver": "s" } },
    "evaluate": { "matrix": { "clean": true } } })");

  const ReadResult result = read_study(file, catalog);

  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_EQ(result.errors[0].code, code::kUnknownPlugin);
}

TEST_F(Reader, RefusedLibrariesAreMentioned) {
  catalog::Catalog catalog;
  catalog.refusals.push_back({"broken.so", "it is empty"});
  const fs::path file = write("study.json", R"({ "version": 1,
      "define": { "solver": { "s": { "plugin": "rk4" } } }, "train": {} })");

  const ReadResult result = read_study(file, catalog);

  ASSERT_FALSE(result.errors.empty());
  EXPECT_NE(result.errors[0].help.find("1 plugin library was refused"), std::string::npos);
}

// --- documentation ---

const fs::path kDocument = fs::path(UNMASK_SOURCE_DIR) / "docs" / "manifest.md";

TEST(ManifestDocument, ExplainsEveryCodeOfTheSource) {
  const std::string document = read_file(kDocument);
  const std::regex pattern("\"(M[0-9]{3})\"");
  std::size_t codes = 0;
  // Their table is with the diagnostics, which manifests share with other files.
  for (const auto& entry : fs::directory_iterator(fs::path(UNMASK_SOURCE_DIR) / "host" / "text")) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".cpp" && extension != ".hpp") continue;
    const std::string source = read_file(entry.path());
    for (auto it = std::sregex_iterator(source.begin(), source.end(), pattern);
         it != std::sregex_iterator();
         ++it, ++codes) {
      EXPECT_NE(document.find("| " + it->str(1) + " |"), std::string::npos) << it->str(1);
    }
  }
  EXPECT_GE(codes, 27U);
}

TEST(ManifestDocument, NamesEveryKey) {
  const std::string document = read_file(kDocument);
  for (const Scope scope : {Scope::kRoot,
                            Scope::kDefine,
                            Scope::kDefinition,
                            Scope::kTrain,
                            Scope::kTrainMatrix,
                            Scope::kTrainAdd,
                            Scope::kTrainZip,
                            Scope::kTrainRule,
                            Scope::kEvaluate,
                            Scope::kEvaluateMatrix,
                            Scope::kEvaluateAdd,
                            Scope::kEvaluateZip,
                            Scope::kEvaluateRule,
                            Scope::kRun,
                            Scope::kRetries}) {
    for (const std::string& key : keys_of(scope)) {
      EXPECT_NE(document.find("`" + key + "`"), std::string::npos) << key;
    }
  }
}

TEST(ManifestDocument, ShowsTheTestedExample) {
  const fs::path data = fs::path(UNMASK_TEST_DATA) / "manifests";

  EXPECT_NE(read_file(kDocument).find(read_file(data / "good" / "masking.json")),
            std::string::npos);
}

TEST(ManifestDocument, ShowsTestedMessages) {
  const fs::path data = fs::path(UNMASK_TEST_DATA) / "manifests";

  EXPECT_NE(read_file(kDocument).find(read_file(data / "bad" / "several-errors-at-once.expected")),
            std::string::npos);
}

}  // namespace
}  // namespace unmask::manifest::reader_test
