// What every network must keep: one row of logits per image, results that belong to images and not
// to batches, true gradients, names and modes that a checkpoint and a training can rely on. Runs
// over all models in the plugin folder, each with its default parameters, on grey images of 20 x 20
// pixels and colour images of 32 x 32.

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include "conformance/plugin_list.hpp"
#include "ode/session.hpp"

namespace unmask::test {
namespace {

using Values = std::map<std::string, ParamValue>;

constexpr ModelContext kShapes[] = {
    {.channels = 1, .height = 20, .width = 20, .num_classes = 10},
    {.channels = 3, .height = 32, .width = 32, .num_classes = 7},
};

// A TorchScript file of a classifier for these images; made once, and removed in the end.
class ScriptedClassifier {
 public:
  explicit ScriptedClassifier(const ModelContext& context)
      : path_(std::filesystem::temp_directory_path() /
              ("unmask-model-conformance-" + std::to_string(::getpid()) + "-" +
               std::to_string(context.channels) + ".pt")) {
    torch::manual_seed(4);
    torch::jit::Module net("Net");
    const std::int64_t pixels = context.channels * context.height * context.width;
    const double scale = 1 / std::sqrt(static_cast<double>(pixels));
    const auto add = [&](const char* name, const Tensor& values) {
      net.register_parameter(name, values.clone().requires_grad_(), /*is_buffer=*/false);
    };
    add("hidden", torch::randn({pixels, 12}) * scale);
    add("weight", torch::randn({12, context.num_classes}));
    add("bias", torch::randn({context.num_classes}));
    net.define(
        "def forward(self, x):\n"
        "    y = torch.tanh(torch.matmul(torch.flatten(x, 1), self.hidden))\n"
        "    return torch.matmul(y, self.weight) + self.bias\n");
    net.save(path_.string());
  }
  ScriptedClassifier(const ScriptedClassifier&) = delete;
  ScriptedClassifier& operator=(const ScriptedClassifier&) = delete;
  ~ScriptedClassifier() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// Values of the parameters that a model cannot do without. Whoever adds a model with such
// parameters adds them here; nullopt: none are known.
std::optional<Values> example_parameters(const std::string& id, const ModelContext& context) {
  if (id == "torchscript") {
    static std::map<std::int64_t, ScriptedClassifier> files;
    return Values{{"file", files.try_emplace(context.channels, context).first->second.path()}};
  }
  for (const ParamSpec& spec : plugin_descriptor("model", id).info().params) {
    if (spec.is_required()) return std::nullopt;
  }
  return Values{};
}

// Methods whose rows do not depend on each other: fixed steps, and steps of each sample's own.
enum class Steps { kFixed, kPerSample };

ode::Session make_session(Steps steps) {
  const bool is_fixed = steps == Steps::kFixed;
  const std::shared_ptr<Method> method = make_plugin<Method>("solver", is_fixed ? "rk4" : "bosh3");
  ode::DriverOptions options;
  options.is_adaptive = !is_fixed;
  if (!is_fixed) {
    options.rtol = 0.1;
    options.atol = 0.1;
    options.control = ode::Control::kSample;
  }
  return {method, options};
}

bool bitwise_equal(const std::vector<NamedTensor>& a, const std::vector<Tensor>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!torch::equal(a[i].tensor, b[i])) return false;
  }
  return a.size() == b.size();
}

std::vector<Tensor> copies(const std::vector<NamedTensor>& tensors) {
  std::vector<Tensor> result;
  for (const NamedTensor& item : tensors) result.push_back(item.tensor.detach().clone());
  return result;
}

class ModelConformance : public testing::TestWithParam<std::tuple<std::string, int>> {
 protected:
  void SetUp() override {
    id_ = std::get<0>(GetParam());
    context_ = kShapes[std::get<1>(GetParam())];
    const auto values = example_parameters(id_, context_);
    ASSERT_TRUE(values) << "model " << id_
                        << " has a required parameter: add a value to example_parameters() of "
                           "this file";
    values_ = *values;
    model_ = build();
    torch::manual_seed(7);
    x_ = torch::rand({3, context_.channels, context_.height, context_.width});
  }

  std::unique_ptr<Model> build(std::uint64_t seed = 1) const {
    torch::manual_seed(seed);
    auto model = make_model(id_, values_, context_);
    model->set_training(false);
    return model;
  }

  static Tensor forward(Model& model, const Tensor& x, Steps steps = Steps::kFixed) {
    ode::Session session = make_session(steps);
    return model.forward(x, session);
  }

  Tensor forward(const Tensor& x, Steps steps = Steps::kFixed) const {
    return forward(*model_, x, steps);
  }

  // Running statistics as after some training: away from 0 and 1, where a normalisation would be
  // missed, and near those of the images, so that not every relu is shut.
  void gather_statistics() const {
    if (model_->buffers().empty()) return;
    const at::NoGradGuard no_grad;
    torch::manual_seed(9);
    model_->set_training(true);
    for (int i = 0; i < 20; ++i) forward(torch::rand_like(x_));
    model_->set_training(false);
  }

  std::string id_;
  ModelContext context_;
  Values values_;
  std::unique_ptr<Model> model_;
  Tensor x_;
};

// --- the declaration

class ModelDeclaration : public testing::TestWithParam<std::string> {};

TEST_P(ModelDeclaration, IsASoundTable) {
  const PluginInfo info = plugin_descriptor("model", GetParam()).info();

  EXPECT_EQ(table_violation(info.params), std::nullopt);
  EXPECT_FALSE(info.version.empty());
  EXPECT_FALSE(info.summary.empty());
  EXPECT_FALSE(info.source.empty());
}

TEST_P(ModelConformance, ReadsEveryDeclaredParameter) {
  const PluginDescriptor& descriptor = plugin_descriptor("model", id_);
  const Params params(descriptor.info().params, values_);

  const std::unique_ptr<Model> model(static_cast<Model*>(descriptor.create(params, &context_)));

  const std::vector<std::string> unread = params.unread();
  EXPECT_TRUE(unread.empty()) << unread.front();
}

TEST_P(ModelConformance, ClaimsOdeExactlyWhenItSolves) {
  ode::Session session = make_session(Steps::kFixed);

  model_->forward(x_, session);

  EXPECT_EQ(!session.solves().empty(),
            plugin_descriptor("model", id_).info().capabilities.contains("ode"));
}

TEST_P(ModelConformance, GivesEverySolveAStableNameOfItsOwn) {
  const auto names = [&](const Tensor& x) {
    ode::Session session = make_session(Steps::kFixed);
    model_->forward(x, session);
    std::vector<std::string> result;
    for (const ode::SolveRecord& record : session.solves()) result.push_back(record.name);
    return result;
  };

  const std::vector<std::string> first = names(x_);

  EXPECT_EQ(std::set<std::string>(first.begin(), first.end()).size(), first.size());
  EXPECT_EQ(first, names(x_.narrow(0, 0, 1)));
}

// --- logits

TEST_P(ModelConformance, GivesOneLogitPerClass) {
  for (const std::int64_t batch : {1, 3}) {
    const Tensor logits = forward(x_.narrow(0, 0, batch));

    EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{batch, context_.num_classes}));
    EXPECT_EQ(logits.scalar_type(), at::kFloat);
    EXPECT_TRUE(torch::isfinite(logits).all().item<bool>());
  }
}

TEST_P(ModelConformance, DependsOnItsInput) {
  const Tensor logits = forward(x_);

  EXPECT_GT((logits[0] - logits[1]).abs().max().item<double>(), 1e-5);
}

TEST_P(ModelConformance, RepeatsItselfInEvaluation) {
  const Tensor x = x_.clone();
  const std::vector<Tensor> parameters = copies(model_->parameters());
  const std::vector<Tensor> buffers = copies(model_->buffers());
  const Tensor generator = at::detail::getDefaultCPUGenerator().get_state();

  const Tensor once = forward(x_);
  const Tensor twice = forward(x_);

  EXPECT_TRUE(torch::equal(once, twice));
  EXPECT_TRUE(torch::equal(x_, x)) << "the input was changed";
  EXPECT_TRUE(bitwise_equal(model_->parameters(), parameters));
  EXPECT_TRUE(bitwise_equal(model_->buffers(), buffers));
  EXPECT_TRUE(torch::equal(at::detail::getDefaultCPUGenerator().get_state(), generator))
      << "it draws random numbers";
}

TEST_P(ModelConformance, HasTheSameLogitsWithAndWithoutAGraph) {
  const Tensor with = forward(x_.clone().requires_grad_());

  const at::NoGradGuard no_grad;
  EXPECT_TRUE(torch::equal(with, forward(x_)));
}

// Kernels of a batch and of a row sum in another order: float64, some hundred roundings, which the
// steps of an adaptive solver amplify by no more than ten thousand.
TEST_P(ModelConformance, DoesNotDependOnTheBatch) {
  gather_statistics();
  model_->to("cpu", at::kDouble);
  const Tensor x = x_.to(at::kDouble);
  const at::NoGradGuard no_grad;
  for (const Steps steps : {Steps::kFixed, Steps::kPerSample}) {
    const Tensor together = forward(x, steps);
    const double size = together.abs().max().item<double>();
    for (std::int64_t i = 0; i < x.size(0); ++i) {
      const Tensor alone = forward(x.narrow(0, i, 1), steps);

      EXPECT_LE((alone[0] - together[i]).abs().max().item<double>(), 1e-10 * size)
          << (steps == Steps::kFixed ? "fixed steps" : "steps of each sample") << ", row " << i;
    }
  }
}

// --- gradients

// f(x) = sum of weights times logits. Along a direction of length 1 and with h = 1e-6, curvature
// costs h^2, rounding 1e-15 / h = 1e-9, and of the 1e4 to 1e5 kinks of relu few lie within h of the
// image: one is worth less than 1e-6 of the gradient's length.
TEST_P(ModelConformance, HasTheGradientOfCentralDifferences) {
  gather_statistics();
  model_->to("cpu", at::kDouble);
  const Tensor x = x_.narrow(0, 0, 2).to(at::kDouble);
  const Tensor weights = torch::randn({2, context_.num_classes}, at::kDouble);
  const auto value = [&](const Tensor& at_x) { return (forward(at_x) * weights).sum(); };
  const Tensor input = x.clone().requires_grad_();
  const Tensor gradient = torch::autograd::grad({value(input)}, {input})[0];
  const double length = gradient.norm().item<double>();
  ASSERT_GT(length, 0);

  const at::NoGradGuard no_grad;
  // The gradient itself, where an error shows best, and something else.
  for (const Tensor& way : {gradient, torch::randn_like(x)}) {
    const Tensor direction = way / way.norm();
    constexpr double kStep = 1e-6;
    const double difference =
        ((value(x + kStep * direction) - value(x - kStep * direction)) / (2 * kStep))
            .item<double>();

    EXPECT_NEAR((gradient * direction).sum().item<double>() / length, difference / length, 1e-6);
  }
}

class OdeModelConformance : public ModelConformance {
 protected:
  // Of the images, and of images and parameters together, after n steps.
  std::pair<Tensor, Tensor> gradients(ode::GradientMode mode, int n) const {
    ode::DriverOptions options;
    options.step_size = 1.0 / n;
    options.gradient = mode;
    ode::Session session(make_plugin<Method>("solver", "rk4"), options);
    const Tensor x = x_.narrow(0, 0, 2).to(at::kDouble).requires_grad_();
    std::vector<Tensor> wanted = {x};
    for (const NamedTensor& item : model_->parameters()) wanted.push_back(item.tensor);
    const Tensor value = model_->forward(x, session).square().sum();
    std::vector<Tensor> flat;
    for (const Tensor& gradient : torch::autograd::grad({value}, wanted)) {
      flat.push_back(gradient.flatten());
    }
    return {flat.front(), at::cat(flat)};
  }

  static double distance(const Tensor& a, const Tensor& b) {
    return ((a - b).norm() / b.norm()).item<double>();
  }
};

// What a field computes once from the parameters must reach them in every way back: through the
// steps, through the steps computed again, and through the adjoint equation.
TEST_P(OdeModelConformance, HasTheSameGradientsByEveryWayBack) {
  gather_statistics();
  model_->to("cpu", at::kDouble);

  const auto [coarse_x, coarse] = gradients(ode::GradientMode::kDirect, 8);
  const auto [fine_x, fine] = gradients(ode::GradientMode::kDirect, 16);
  const auto again = gradients(ode::GradientMode::kCheckpoint, 8).second;
  const auto [coarse_adjoint_x, coarse_adjoint] = gradients(ode::GradientMode::kAdjoint, 8);
  const auto [fine_adjoint_x, fine_adjoint] = gradients(ode::GradientMode::kAdjoint, 16);

  // The same operations: rounding alone.
  EXPECT_LE(distance(again, coarse), 1e-10);
  // The adjoint is another approximation of the same equation. Kinks in the field leave it an order
  // of at least one, so half the step gives half the distance; a parameter that it forgets would
  // stay as far away as it was.
  EXPECT_LE(distance(fine_adjoint, fine), 0.6 * distance(coarse_adjoint, coarse));
  EXPECT_LE(distance(fine_adjoint_x, fine_x), 0.6 * distance(coarse_adjoint_x, coarse_x));
  EXPECT_LE(distance(fine_adjoint_x, fine_x), 0.1);
}

TEST_P(ModelConformance, UsesEveryParameter) {
  gather_statistics();

  // As a training does.
  for (NamedTensor item : model_->parameters()) item.tensor.requires_grad_();

  // The sum of squares: a plain sum of logits would cancel in places.
  forward(x_).square().sum().backward();

  for (const NamedTensor& item : model_->parameters()) {
    ASSERT_TRUE(item.tensor.grad().defined()) << item.name;
    EXPECT_GT(item.tensor.grad().abs().max().item<double>(), 0) << item.name;
  }
}

// --- tensors of a checkpoint

struct Entry {
  std::string name;
  std::vector<std::int64_t> sizes;
  bool operator==(const Entry&) const = default;
};

std::vector<Entry> entries(Model& model) {
  std::vector<Entry> result;
  for (const auto& list : {model.parameters(), model.buffers()}) {
    for (const NamedTensor& item : list) result.push_back({item.name, item.tensor.sizes().vec()});
  }
  return result;
}

TEST_P(ModelConformance, NamesItsTensorsOnceAndForAll) {
  const std::vector<Entry> names = entries(*model_);
  const auto other = build(2);

  std::set<std::string> unique;
  for (const Entry& entry : names) {
    EXPECT_FALSE(entry.name.empty());
    EXPECT_TRUE(unique.insert(entry.name).second) << entry.name;
  }
  EXPECT_TRUE(entries(*other) == names) << "another seed gives other names";
  model_->set_training(true);
  forward(x_);
  EXPECT_TRUE(entries(*model_) == names) << "a forward pass in training changes names";
  model_->to("cpu", at::kDouble);
  EXPECT_TRUE(entries(*model_) == names) << "to() changes names";
}

TEST_P(ModelConformance, HandsOutItsOwnTensors) {
  const Tensor before = forward(x_).detach();
  {
    const at::NoGradGuard no_grad;
    for (NamedTensor item : model_->parameters()) item.tensor.mul_(1.01);
  }

  EXPECT_FALSE(torch::equal(forward(x_), before)) << "what an optimiser does has no effect";
}

TEST_P(ModelConformance, FollowsItsSeedAlone) {
  const auto same = build(1);
  const auto other = build(2);

  EXPECT_TRUE(bitwise_equal(same->parameters(), copies(model_->parameters())));
  EXPECT_TRUE(bitwise_equal(same->buffers(), copies(model_->buffers())));
  // A model that reads its weights from a file has no seed to follow.
  const auto specs = plugin_descriptor("model", id_).info().params;
  const bool reads_a_file = std::any_of(specs.begin(), specs.end(), [](const ParamSpec& spec) {
    return spec.type == unmask::ParamType::kFile;
  });
  if (!reads_a_file) {
    EXPECT_FALSE(bitwise_equal(other->parameters(), copies(model_->parameters())));
  }
}

TEST_P(ModelConformance, CarriesOverItsStateTensorByTensor) {
  gather_statistics();
  const auto other = build(2);
  {
    const at::NoGradGuard no_grad;
    const auto copy = [](const std::vector<NamedTensor>& from, std::vector<NamedTensor> to) {
      for (std::size_t i = 0; i < from.size(); ++i) to[i].tensor.copy_(from[i].tensor);
    };
    copy(model_->parameters(), other->parameters());
    copy(model_->buffers(), other->buffers());
  }

  EXPECT_TRUE(torch::equal(forward(*other, x_), forward(x_)));
}

// --- precision

TEST_P(ModelConformance, ComputesInDoubleWhenMovedThere) {
  const at::NoGradGuard no_grad;
  const Tensor in_float = forward(x_);

  model_->to("cpu", at::kDouble);

  for (const auto& list : {model_->parameters(), model_->buffers()}) {
    for (const NamedTensor& item : list) {
      EXPECT_EQ(item.tensor.scalar_type(), at::kDouble) << item.name;
    }
  }
  const Tensor in_double = forward(x_.to(at::kDouble));
  ASSERT_EQ(in_double.scalar_type(), at::kDouble);
  // Rounding of float32, amplified by some twenty layers.
  EXPECT_LE((in_float - in_double).abs().max().item<double>(),
            1e-3 * in_double.abs().max().item<double>());
}

TEST_P(ModelConformance, ComesBackFromDouble) {
  const at::NoGradGuard no_grad;
  const Tensor before = forward(x_);

  model_->to("cpu", at::kDouble);
  forward(x_.to(at::kDouble));
  model_->to("cpu", at::kFloat);

  EXPECT_TRUE(torch::equal(forward(x_), before));
}

// --- modes

// Normalisations with running statistics are all that a mode may switch: what has none is the same
// in both.
TEST_P(ModelConformance, SwitchesNothingButNormalisations) {
  const std::vector<Tensor> parameters = copies(model_->parameters());
  const std::vector<Tensor> buffers = copies(model_->buffers());
  const Tensor in_evaluation = forward(x_).detach();

  model_->set_training(true);
  EXPECT_TRUE(bitwise_equal(model_->buffers(), buffers)) << "the switch itself";
  const Tensor in_training = forward(x_).detach();

  EXPECT_TRUE(bitwise_equal(model_->parameters(), parameters));
  const std::vector<NamedTensor> own = model_->buffers();
  const bool has_statistics = std::any_of(own.begin(), own.end(), [](const NamedTensor& item) {
    return item.name.ends_with("running_mean");
  });
  if (has_statistics) {
    EXPECT_FALSE(torch::equal(in_training, in_evaluation));
    EXPECT_FALSE(bitwise_equal(own, buffers)) << "no statistics were gathered";
  } else {
    EXPECT_TRUE(torch::equal(in_training, in_evaluation));
    EXPECT_TRUE(bitwise_equal(own, buffers));
  }
}

TEST_P(ModelConformance, RepeatsItselfInTraining) {
  model_->set_training(true);
  const std::vector<Tensor> buffers = copies(model_->buffers());
  const Tensor generator = at::detail::getDefaultCPUGenerator().get_state();

  const Tensor once = forward(x_).detach();
  {
    const at::NoGradGuard no_grad;
    std::vector<NamedTensor> own = model_->buffers();
    for (std::size_t i = 0; i < own.size(); ++i) own[i].tensor.copy_(buffers[i]);
  }
  const Tensor twice = forward(x_).detach();

  EXPECT_TRUE(torch::equal(once, twice));
  EXPECT_TRUE(torch::equal(at::detail::getDefaultCPUGenerator().get_state(), generator))
      << "it draws random numbers";
}

TEST_P(ModelConformance, ComesBackFromTraining) {
  const Tensor before = forward(x_).detach();

  model_->set_training(true);
  model_->set_training(false);

  EXPECT_TRUE(torch::equal(forward(x_), before));
}

std::string name_of(const testing::TestParamInfo<std::tuple<std::string, int>>& info) {
  const ModelContext& context = kShapes[std::get<1>(info.param)];
  return std::get<0>(info.param) + "_" + std::to_string(context.channels) + "x" +
         std::to_string(context.height) + "x" + std::to_string(context.width);
}

INSTANTIATE_TEST_SUITE_P(Plugin, ModelDeclaration, testing::ValuesIn(plugin_ids("model")), id_of);
INSTANTIATE_TEST_SUITE_P(Plugin,
                         ModelConformance,
                         testing::Combine(testing::ValuesIn(plugin_ids("model")),
                                          testing::Values(0, 1)),
                         name_of);

std::vector<std::string> ode_ids() {
  std::vector<std::string> ids;
  for (const std::string& id : plugin_ids("model")) {
    bool is_ode = true;  // a library that does not load fails in every test
    try {
      is_ode = plugin_descriptor("model", id).info().capabilities.contains("ode");
    } catch (const std::exception&) {
      is_ode = true;
    }
    if (is_ode) ids.push_back(id);
  }
  return ids;
}

INSTANTIATE_TEST_SUITE_P(Plugin,
                         OdeModelConformance,
                         testing::Combine(testing::ValuesIn(ode_ids()), testing::Values(0, 1)),
                         name_of);

TEST(ModelList, HasTheShippedNetworks) {
  const std::vector<std::string> ids = plugin_ids("model");
  for (const char* id : {"linear",
                         "mlp",
                         "odenet",
                         "resnet",
                         "small_cnn",
                         "so_resnet",
                         "so_wide_resnet",
                         "sonet",
                         "wide_resnet"}) {
    EXPECT_TRUE(std::binary_search(ids.begin(), ids.end(), id)) << id;
  }
}

}  // namespace
}  // namespace unmask::test
