// Parameters that name files: found, or reported where they are written.

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "fake_catalog.hpp"
#include "manifest/reader.hpp"

namespace unmask::manifest::file_params_test {
namespace {

namespace fs = std::filesystem;

catalog::Catalog catalog() {
  catalog::Catalog result = testing::fake_catalog();
  catalog::PluginRecord record;
  record.kind = "model";
  record.id = "stored";
  record.params = {file("file", "a network")};
  result.plugins.push_back(std::move(record));
  return result;
}

class FileParams : public ::testing::Test {
 protected:
  fs::path in_folder(const std::string& name) const { return folder_.path() / name; }

  // A manifest with this value on line 4, column 63, and this objective.
  ReadResult read(const std::string& value,
                  const std::string& objective = R"({ "plugin": "erm" })") const {
    std::ofstream(in_folder("study.json"))
        << "{ \"version\": 1,\n  \"define\": {\n    \"dataset\": { \"d\": { \"plugin\": \"digits\" "
           "} },\n"
        << "    \"model\": { \"m\": { \"plugin\": \"stored\", \"params\": { \"file\": " << value
        << " } } },\n    \"solver\": { \"s\": { \"plugin\": \"rk4\" } },\n    \"objective\": { "
           "\"o\": "
        << objective << " } },\n  \"train\": { \"add\": [ { \"dataset\": \"d\", \"model\": \"m\", "
        << "\"objective\": \"o\", \"solver\": \"s\" } ] } }\n";
    return read_study(in_folder("study.json"), catalog());
  }

  std::string only_error(const std::string& value,
                         const std::string& objective = R"({ "plugin": "erm" })") const {
    const ReadResult result = read(value, objective);
    EXPECT_EQ(result.errors.size(), 1u) << to_text(result.errors);
    return to_text(result.errors);
  }

 private:
  base::TempFolder folder_;
};

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST_F(FileParams, AreRelativeToTheManifest) {
  std::ofstream(in_folder("net.pt")) << "bytes";

  const ReadResult result = read("\"net.pt\"");

  ASSERT_TRUE(result.study.has_value()) << to_text(result.errors);
  EXPECT_EQ(result.study->train[0].model->params.at("file"), in_folder("net.pt").string());
}

TEST_F(FileParams, ThatDoNotExistAreReportedWithTheirPosition) {
  const std::string text = only_error("\"nothing.pt\"");

  expect_part(text, "study.json:4:63: error[M001]");
  expect_part(text, "parameter \"file\"");
  expect_part(text, in_folder("nothing.pt").string());
  expect_part(text, "there is no such file");
}

TEST_F(FileParams, MayNotBeFolders) {
  fs::create_directory(in_folder("folder"));

  expect_part(only_error("\"folder\""), "this is a folder");
}

TEST_F(FileParams, BehindAVariableThatIsNotSetAreReported) {
  expect_part(only_error("\"${env:UNMASK_NO_SUCH_VARIABLE}/x\""), "variable is not set");
}

TEST_F(FileParams, MustBeText) {
  expect_part(only_error("7"), "error[M017]");
}

TEST_F(FileParams, WeightsOfATrainingAreOne) {
  std::ofstream(in_folder("net.pt")) << "bytes";

  const std::string text = only_error(
      "\"net.pt\"", R"({ "plugin": "erm", "params": { "weights": "none.safetensors" } })");

  expect_part(text, "error[M001]");
  expect_part(text, "parameter \"weights\"");
}

TEST_F(FileParams, NamesOfWeightsNeedWeights) {
  std::ofstream(in_folder("net.pt")) << "bytes";

  const std::string text =
      only_error("\"net.pt\"", R"({ "plugin": "erm", "params": { "weights_names": "net.pt" } })");

  expect_part(text, "error[M020]");
  expect_part(text, "\"weights\"");
}

}  // namespace
}  // namespace unmask::manifest::file_params_test
