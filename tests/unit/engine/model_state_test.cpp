#include "engine/model_state.hpp"

#include <string>
#include <vector>

#include <torch/nn.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unmask/errors.hpp"
#include "unmask/module_model.hpp"

namespace unmask::engine::model_state_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Two parameters (bn.weight, bn.bias) and two buffers (bn.running_mean, bn.running_var).
struct NormImpl final : torch::nn::Module {
  static PluginInfo info() { return {}; }
  NormImpl(const Params& /*params*/, const ModelContext& context)
      : bn(register_module("bn", torch::nn::BatchNorm2d(context.channels))) {}
  Tensor forward(const Tensor& x, OdeContext& /*ode*/) { return bn(x); }
  torch::nn::BatchNorm2d bn;
};

using NormModel = ModuleModel<NormImpl>;

NormModel model_of(std::int64_t channels) {
  return NormModel(Params(), {.channels = channels, .height = 1, .width = 1, .num_classes = 1});
}

std::vector<std::string> names(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> result;
  for (const NamedTensor& item : tensors) result.push_back(item.name);
  return result;
}

std::string refusal(Model& model, const std::vector<NamedTensor>& tensors) {
  try {
    load_model_state(model, tensors, "x.safetensors");
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(ModelState, ListsParametersThenBuffers) {
  NormModel model = model_of(3);

  EXPECT_THAT(names(model_state(model)),
              testing::ElementsAre("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"));
}

TEST(ModelState, IsACopy) {
  NormModel model = model_of(3);
  const std::vector<NamedTensor> state = model_state(model);

  model.parameters()[0].tensor.detach().fill_(5);

  EXPECT_TRUE(torch::equal(state[0].tensor, torch::ones({3})));
}

TEST(ModelState, LoadsWhatItSaved) {
  NormModel source = model_of(3);
  for (const NamedTensor& item : source.parameters()) item.tensor.detach().uniform_();
  for (const NamedTensor& item : source.buffers()) item.tensor.uniform_();
  NormModel target = model_of(3);

  load_model_state(target, model_state(source), "memory");

  const auto expected = model_state(source);
  const auto got = model_state(target);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(torch::equal(got[i].tensor, expected[i].tensor)) << expected[i].name;
  }
}

TEST(ModelState, KeepsParametersTrainable) {
  NormModel model = model_of(3);

  load_model_state(model, model_state(model), "memory");

  EXPECT_TRUE(model.parameters()[0].tensor.requires_grad());
  EXPECT_TRUE(model.parameters()[0].tensor.is_leaf());
}

TEST(ModelState, ConvertsToTheModelsDtype) {
  NormModel source = model_of(3);
  NormModel target = model_of(3);
  target.to("cpu", at::kDouble);

  load_model_state(target, model_state(source), "memory");

  EXPECT_EQ(target.parameters()[0].tensor.scalar_type(), at::kDouble);
}

TEST(ModelState, ListsEveryProblemAtOnce) {
  NormModel model = model_of(3);
  const std::vector<NamedTensor> tensors = {{"bn.weight", torch::ones({4})},
                                            {"bn.bias", torch::ones({3}, at::kLong)},
                                            {"bn.running_mean", torch::ones({3})},
                                            {"bn.running_mean", torch::ones({3})},
                                            {"fc.weight", torch::ones({2, 2})}};

  EXPECT_THAT(refusal(model, tensors),
              AllOf(HasSubstr("x.safetensors"),
                    HasSubstr("shape: bn.weight is [4], the model has [3]"),
                    HasSubstr("dtype: bn.bias is Long"),
                    HasSubstr("twice: bn.running_mean"),
                    HasSubstr("missing: bn.running_var [3]"),
                    HasSubstr("unknown to the model: fc.weight [2, 2]")));
}

TEST(ModelState, LeavesTheModelUnchangedWhenRefused) {
  NormModel model = model_of(3);
  std::vector<NamedTensor> tensors = model_state(model);
  tensors[0].tensor.fill_(7);
  tensors.pop_back();

  EXPECT_NE(refusal(model, tensors), "");
  EXPECT_TRUE(torch::equal(model.parameters()[0].tensor, torch::ones({3})));
}

}  // namespace
}  // namespace unmask::engine::model_state_test
