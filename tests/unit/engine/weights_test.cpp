// Weights from elsewhere: names, tables of names, and everything that can be wrong at once.

#include "engine/weights.hpp"

#include <cmath>
#include <cstring>
#include <fstream>

#include <torch/nn.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "engine/model_state.hpp"
#include "engine/name_table.hpp"
#include "engine/safetensors.hpp"
#include "unmask/errors.hpp"
#include "unmask/module_model.hpp"

namespace unmask::engine::weights_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// conv.weight [2, 1, 1, 1], bn.weight, bn.bias [2]; buffers bn.running_mean, bn.running_var [2].
struct SmallImpl final : torch::nn::Module {
  static PluginInfo info() { return {}; }
  SmallImpl(const Params& /*params*/, const ModelContext& /*context*/)
      : conv(register_module("conv",
                             torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 2, 1).bias(false)))),
        bn(register_module("bn", torch::nn::BatchNorm2d(2))) {}
  Tensor forward(const Tensor& x, OdeContext& /*ode*/) { return bn(conv(x)); }
  torch::nn::Conv2d conv;
  torch::nn::BatchNorm2d bn;
};

class Weights : public ::testing::Test {
 protected:
  // The tensors of a network like `model_`, with other values than it has, behind a prefix.
  static std::vector<NamedTensor> good(const std::string& prefix = "") {
    return {{prefix + "conv.weight", at::full({2, 1, 1, 1}, 3.0)},
            {prefix + "bn.weight", at::full({2}, 4.0)},
            {prefix + "bn.bias", at::full({2}, 5.0)},
            {prefix + "bn.running_mean", at::full({2}, 6.0)},
            {prefix + "bn.running_var", at::full({2}, 7.0)}};
  }

  WeightsFile file(const std::vector<NamedTensor>& tensors) const {
    write_safetensors(folder_.path() / "net.safetensors", tensors);
    return {folder_.path() / "net.safetensors", std::nullopt};
  }

  std::filesystem::path table(const std::string& json) const {
    std::ofstream(folder_.path() / "names.json") << json;
    return folder_.path() / "names.json";
  }

  WeightsFile file(const std::vector<NamedTensor>& tensors, const std::string& names) const {
    WeightsFile result = file(tensors);
    result.names = table(names);
    return result;
  }

  std::string refusal(const WeightsFile& weights) {
    try {
      load_weights(model_, weights);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::string table_errors(const std::string& json) const {
    try {
      NameTable::read(table(json));
    } catch (const ManifestError& error) {
      return error.what();
    }
    return "";
  }

  // The first value of every tensor: 3, 4, 5, 6, 7 when all are loaded.
  std::vector<double> values() {
    std::vector<double> result;
    for (const NamedTensor& item : model_state(model_)) {
      result.push_back(item.tensor.flatten()[0].item<double>());
    }
    return result;
  }

  ModuleModel<SmallImpl> model_{Params(), ModelContext{}};

 private:
  base::TempFolder folder_;
};

TEST_F(Weights, OfTheSameNamesAreLoaded) {
  load_weights(model_, file(good()));

  EXPECT_THAT(values(), ElementsAre(3, 4, 5, 6, 7));
}

TEST_F(Weights, AreReturnedInTheOrderOfTheModelAndAsRead) {
  std::vector<NamedTensor> tensors = good();
  std::swap(tensors.front(), tensors.back());
  tensors.front().tensor = tensors.front().tensor.to(at::kHalf);

  const LoadedWeights loaded = load_weights(model_, file(tensors));

  EXPECT_EQ(loaded.tensors.front().name, "conv.weight");
  EXPECT_EQ(loaded.tensors.back().name, "bn.running_var");
  EXPECT_EQ(loaded.tensors.back().tensor.scalar_type(), at::kHalf);
}

TEST_F(Weights, ThatCannotBeUsedAreNamedWithTensorAndIndex) {
  const auto with_bias = [&](double value, at::ScalarType dtype) {
    std::vector<NamedTensor> tensors = good();
    tensors[2].tensor = torch::tensor({5.0, value}, dtype);
    return refusal(file(tensors));
  };

  EXPECT_THAT(with_bias(std::nan(""), at::kFloat),
              HasSubstr("tensor \"bn.bias\" has NaN at index 1 of 2"));
  EXPECT_THAT(with_bias(1e300, at::kDouble),
              HasSubstr("tensor \"bn.bias\" has a value beyond float32 at index 1 of 2"));
  EXPECT_THAT(with_bias(INFINITY, at::kFloat), HasSubstr("has an infinite value at index 1 of 2"));
  EXPECT_EQ(with_bias(3e38, at::kDouble), "");
}

TEST_F(Weights, MayLieBesideTensorsOfAnyDtypeThatAreNotRead) {
  const WeightsFile weights = file(good(), R"({"step": null})");
  // A counter that this host cannot read, behind the other tensors.
  std::string bytes = base::read_file(weights.file);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  nlohmann::json header = nlohmann::json::parse(bytes.substr(8, length));
  const std::string data = bytes.substr(8 + length) + std::string(4, '\1');
  header["step"] = {{"dtype", "U32"},
                    {"shape", nlohmann::json::array()},
                    {"data_offsets", {data.size() - 4, data.size()}}};
  const std::string text = header.dump();
  length = text.size();
  bytes.assign(reinterpret_cast<const char*>(&length), sizeof length);
  base::write_file_atomically(weights.file, bytes + text + data);

  load_weights(model_, weights);
  EXPECT_THAT(values(), ElementsAre(3, 4, 5, 6, 7));

  EXPECT_THAT(refusal({weights.file, std::nullopt}),
              HasSubstr("tensor \"step\": its dtype \"U32\" is not one of"));
}

TEST_F(Weights, ATableMapsExactNamesAndPatterns) {
  std::vector<NamedTensor> tensors = good("net.");
  tensors[0].name = "stem";
  tensors.push_back({"net.bn.num_batches_tracked", torch::tensor(7)});

  load_weights(
      model_,
      file(tensors, R"({"stem": "conv.weight", "*.num_batches_tracked": null, "net.*": "*"})"));

  EXPECT_THAT(values(), ElementsAre(3, 4, 5, 6, 7));
}

TEST_F(Weights, EverythingThatIsWrongIsListedAtOnce) {
  std::vector<NamedTensor> tensors = good();
  tensors[0].tensor = at::ones({3, 1, 1, 1});
  tensors[1].tensor = at::ones({2}, at::kLong);
  tensors[2].name = "bn.offset";

  EXPECT_THAT(refusal(file(tensors)),
              AllOf(HasSubstr("shape: conv.weight"),
                    HasSubstr("dtype: bn.weight"),
                    HasSubstr("missing: bn.bias"),
                    HasSubstr("unknown to the model: bn.offset")));
}

TEST_F(Weights, ThatAreRefusedLeaveTheModelAsItWas) {
  const std::vector<double> before = values();
  std::vector<NamedTensor> tensors = good();
  tensors.pop_back();

  EXPECT_NE(refusal(file(tensors)), "");
  EXPECT_EQ(values(), before);
}

TEST_F(Weights, TwoNamesForOneTensorAreRefused) {
  std::vector<NamedTensor> tensors = good();
  tensors.push_back({"copy", at::ones({2})});

  EXPECT_THAT(refusal(file(tensors, R"({"copy": "bn.bias"})")), HasSubstr("twice: bn.bias"));
}

TEST_F(Weights, AWrapperIsNamedWithTheTableThatTakesItAway) {
  EXPECT_THAT(refusal(file(good("module."))), HasSubstr(R"({"module.*": "*"})"));
}

TEST_F(Weights, TheAdvisedTableWorks) {
  std::vector<NamedTensor> tensors = good("model.module.");
  tensors.push_back({"model.module.bn.num_batches_tracked", torch::tensor(7)});
  const std::string text = refusal(file(tensors));
  const std::size_t begin = text.rfind('{');
  ASSERT_NE(begin, std::string::npos) << text;

  load_weights(model_, file(tensors, text.substr(begin)));

  EXPECT_THAT(values(), ElementsAre(3, 4, 5, 6, 7));
}

TEST_F(Weights, APrefixThatTheModelHasIsAdvisedToo) {
  struct NormImpl final : torch::nn::Module {
    static PluginInfo info() { return {}; }
    NormImpl(const Params& /*params*/, const ModelContext& /*context*/)
        : bn(register_module("bn", torch::nn::BatchNorm2d(2))) {}
    Tensor forward(const Tensor& x, OdeContext& /*ode*/) { return bn(x); }
    torch::nn::BatchNorm2d bn;
  };
  ModuleModel<NormImpl> model{Params(), ModelContext{}};
  std::vector<NamedTensor> tensors;
  for (const char* name : {"weight", "bias", "running_mean", "running_var"}) {
    tensors.push_back({name, at::ones({2})});
  }

  try {
    load_weights(model, file(tensors));
    FAIL() << "the names differ";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr(R"({"*": "bn.*"})"));
  }
}

TEST_F(Weights, ForAnotherNetworkGetNoAdvice) {
  EXPECT_THAT(refusal(file({{"a", at::ones({2})}})), Not(HasSubstr("table of names")));
}

TEST_F(Weights, RulesThatFitNothingAreNamed) {
  EXPECT_THAT(refusal(file(good("net."), R"({"nett.*": "*"})")), HasSubstr("\"nett.*\""));
  EXPECT_THAT(load_weights(model_, file(good(), R"({"nett.*": "*"})")).unused_rules,
              ElementsAre("nett.*"));
}

TEST_F(Weights, OfAnotherFormatAreRefused) {
  const std::filesystem::path text = table("this is no safetensors file");

  EXPECT_THROW(expect_readable({text, std::nullopt}), DataError);
}

TEST_F(Weights, TheFirstRuleThatFitsApplies) {
  const NameTable names =
      NameTable::read(table(R"({"a.b": "exact", "a.*": "first.*", "*": "last.*"})"));

  EXPECT_EQ(names.model_name("a.b"), "exact");
  EXPECT_EQ(names.model_name("a.c"), "first.c");
  EXPECT_EQ(names.model_name("b.c"), "last.b.c");
}

TEST_F(Weights, AStarMayStandInTheMiddle) {
  const NameTable names = NameTable::read(table(R"({"layer.*.w": "l*.weight"})"));

  EXPECT_EQ(names.model_name("layer.3.w"), "l3.weight");
  EXPECT_EQ(names.model_name("layer.3.b"), "layer.3.b");
  EXPECT_EQ(names.model_name("layer.w"), "layer.w") << "the dots may not overlap";
}

TEST_F(Weights, AWrongTableIsReportedWithLinesAndColumns) {
  const std::string text =
      table_errors("{\n  \"*.a.*\": \"b\",\n  \"c.*\": \"d\",\n  \"e\": 1, \"e\": \"f\"\n}");

  EXPECT_THAT(text,
              AllOf(HasSubstr("names.json:2:3: "),
                    HasSubstr("names.json:3:10: "),
                    HasSubstr("names.json:4:8: "),
                    HasSubstr("error[M005]")));
}

}  // namespace
}  // namespace unmask::engine::weights_test
