#include "cli/judge_subject.hpp"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli::judge_subject_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

class Subject : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const {
    base::write_file_atomically(folder_.path() / name, "content");
    return (folder_.path() / name).string();
  }

  std::string folder(const std::string& name) const {
    fs::create_directories(folder_.path() / name);
    return (folder_.path() / name).string();
  }

  BroughtNetwork torchscript() const {
    BroughtNetwork network;
    network.file = file("my net.ts.pt");
    network.data = file("images.safetensors");
    return network;
  }

  static std::string refusal(const BroughtNetwork& network) {
    try {
      subject_of(network);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }

  base::TempFolder folder_;
};

// The manifest is JSON: it cannot name a file whose path is bytes that are not UTF-8.
TEST_F(Subject, WhosePathIsNotUtf8IsRefusedInASentence) {
  BroughtNetwork bad_file = torchscript();
  bad_file.file = file("caf\xe9.pt");
  BroughtNetwork bad_images = torchscript();
  bad_images.data = file("caf\xe9.safetensors");
  BroughtNetwork bad_pictures = torchscript();
  bad_pictures.data = folder("caf\xe9");
  BroughtNetwork bad_set = torchscript();
  bad_set.data = "mnist:" + folder("caf\xe9");

  EXPECT_THAT(refusal(bad_file), HasSubstr("the network: the path"));
  EXPECT_THAT(refusal(bad_images), HasSubstr("--data: the path"));
  EXPECT_THAT(refusal(bad_pictures), HasSubstr("is not UTF-8"));
  EXPECT_THAT(refusal(bad_set), HasSubstr("is not UTF-8"));
}

TEST_F(Subject, OfATorchScriptFileIsThatFile) {
  BroughtNetwork network = torchscript();
  network.mean = "0.5,1/4";
  network.std = "1/255";
  network.output = "softmax";
  network.classes = 10;

  const JudgeSubject subject = subject_of(network);

  EXPECT_EQ(subject.name, "my_net");
  const json expected = {{"plugin", "torchscript"},
                         {"params",
                          {{"file", network.file},
                           {"mean", {0.5, "1/4"}},
                           {"std", {"1/255"}},
                           {"output", "softmax"}}}};
  EXPECT_EQ(json(subject.define.at("model").at("my_net")), expected);
  const json data = {{"plugin", "tensors"},
                     {"params", {{"file", network.data}, {"num_classes", 10}}}};
  EXPECT_EQ(json(subject.define.at("dataset").at("images")), data);
  EXPECT_EQ(subject.training.at("model"), "my_net");
}

TEST_F(Subject, OfWeightsIsThePluginWithThem) {
  BroughtNetwork network = torchscript();
  network.file.clear();
  network.model = "sonet";
  network.params = R"({"channels": 4})";
  network.weights = file("trained.safetensors");
  network.weights_names = file("names.json");
  network.solver = "bosh3";
  network.solver_params = R"({"rtol": 0.1})";

  const JudgeSubject subject = subject_of(network);

  EXPECT_EQ(subject.name, "trained");
  EXPECT_EQ(subject.define.at("model").at("trained").at("params").at("channels"), 4);
  EXPECT_EQ(subject.define.at("solver").at("bosh3").at("params").at("rtol"), 0.1);
  const auto& training = subject.define.at("objective").at("as_it_is").at("params");
  EXPECT_EQ(training.at("epochs"), 0);
  EXPECT_EQ(training.at("weights"), network.weights);
  EXPECT_EQ(training.at("weights_names"), network.weights_names);
  EXPECT_EQ(subject.training.at("solver"), "bosh3");
}

TEST_F(Subject, TakesImagesOfEveryKind) {
  BroughtNetwork network = torchscript();
  const auto dataset = [&](const std::string& data) {
    network.data = data;
    return json(subject_of(network).define.at("dataset").at("images"));
  };
  const std::string plain = folder("pictures");
  const std::string split = folder("split");
  folder("split/test");

  EXPECT_EQ(dataset("cifar10:" + plain).at("plugin"), "cifar10");
  EXPECT_EQ(dataset("mnist:" + plain).at("params").at("folder"), plain);
  EXPECT_EQ(dataset(plain).at("plugin"), "image_folder");
  EXPECT_TRUE(dataset(plain).at("params").contains("test_fraction")) << "there is no split";
  EXPECT_FALSE(dataset(split).at("params").contains("test_fraction"));
  network.size = 32;
  EXPECT_EQ(dataset(split).at("params").at("size"), 32);
}

TEST_F(Subject, SaysWhatIsWrong) {
  const auto with = [&](const std::function<void(BroughtNetwork&)>& change) {
    BroughtNetwork network = torchscript();
    change(network);
    return refusal(network);
  };

  EXPECT_EQ(with([](BroughtNetwork&) {}), "");
  EXPECT_THAT(with([](auto& n) { n.file = "/none.pt"; }),
              HasSubstr("there is no file \"/none.pt\""));
  EXPECT_THAT(with([](auto& n) { n.data = "/none"; }), HasSubstr("cifar10:FOLDER"));
  EXPECT_THAT(with([](auto& n) { n.data = "mnist:/none"; }), HasSubstr("there is no folder"));
  EXPECT_THAT(with([](auto& n) { n.mean = "0.5;0.5"; }), HasSubstr("--mean"));
  EXPECT_THAT(with([](auto& n) { n.size = 32; }),
              HasSubstr("--size is for a folder of pictures, and --data is none"));
  for (const std::string& data : {folder("pictures"), "mnist:" + folder("pictures")}) {
    EXPECT_THAT(with([&](auto& n) {
                  n.data = data;
                  n.classes = 10;
                }),
                HasSubstr("--classes is for a safetensors file, and --data is none"))
        << data;
  }
  EXPECT_THAT(with([](auto& n) {
                n.file.clear();
                n.model = "mlp";
              }),
              HasSubstr("--weights FILE and --solver ID"));
  EXPECT_THAT(with([this](auto& n) {
                n.file.clear();
                n.model = "mlp";
                n.solver = "euler";
                n.weights = file("w.safetensors");
                n.params = "widths=[64]";
              }),
              HasSubstr("--params takes one JSON object"));
}

TEST(Key, IsHexadecimalAndLongEnough) {
  EXPECT_TRUE(looks_like_key("0123ab"));
  EXPECT_FALSE(looks_like_key("0123a"));
  EXPECT_FALSE(looks_like_key("net.pt"));
  EXPECT_FALSE(looks_like_key("0123ab' OR 1"));
  EXPECT_FALSE(looks_like_key(std::string(65, 'a')));
}

}  // namespace
}  // namespace unmask::cli::judge_subject_test
