// Our networks against numbers of the reference implementation, on the device that
// UNMASK_TEST_DEVICE names (the CPU); the rules stand in tests/data/golden/models/README.md.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/nn/functional/loss.h>
#include <torch/types.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/kernels.hpp"
#include "engine/model_state.hpp"
#include "engine/safetensors.hpp"
#include "ode/session.hpp"
#include "support/device.hpp"
#include "support/plugins.hpp"

namespace unmask::test::golden_test {
namespace {

namespace fs = std::filesystem;
using engine::TensorFile;
using nlohmann::json;

// Reference architectures that we build, and our ids for them.
std::optional<std::string> our_model(const std::string& architecture) {
  const std::map<std::string, std::string> ids = {{"odenet_tq", "odenet"},
                                                  {"resnet10", "resnet"},
                                                  {"resXsonet10", "so_resnet"},
                                                  {"sonet_s", "sonet"},
                                                  {"wide_resnet", "wide_resnet"},
                                                  {"wide_resXsonet", "so_wide_resnet"}};
  const auto found = ids.find(architecture);
  if (found == ids.end() || !has_plugin("model", found->second)) return std::nullopt;
  return found->second;
}

// F(4x4, 3x3) multiplies by matrices with entries up to 5 before and 8 after the products, which
// cancel: its results are about ten times as far from the exact ones as those of plain sums.
constexpr double kRoomOfTransforms = 10;

// One reference file and what was compared with it.
class GoldenFile {
 public:
  explicit GoldenFile(const fs::path& path)
      : name_(path.stem().string()), file_(engine::read_safetensors(path)) {}

  // Compares everything that is supported in both precisions and says what is not.
  void compare() {
    engine::avoid_wrong_kernels();
    const std::string architecture = file_.metadata.at("architecture");
    const json variants = json::parse(file_.metadata.at("variants"));
    const std::optional<std::string> model = our_model(architecture);
    for (const auto& [variant, facts] : variants.items()) {
      const std::string solver =
          facts["solver"].is_null() ? "" : facts["solver"].get<std::string>();
      if (!model) {
        skip(variant, "model " + architecture + " is not built");
      } else if (!solver.empty() && !has_plugin("solver", solver)) {
        skip(variant, "solver " + solver + " is not built");
      } else {
        SCOPED_TRACE(name_ + " " + variant);
        const Case c{*model, variant, solver, facts};
        compare_variant(c, at::kDouble);
        compare_variant(c, at::kFloat);
        promised_ += 2 * promised(variant);
      }
    }
    std::cout << "[ compared ] " << name_ << ": " << compared_ << " tensors of " << promised_
              << " promised\n";
  }

  // Reference tensors compared, once in each precision.
  int compared() const { return compared_; }
  // Reference tensors that the file has for the supported variants, times two precisions.
  int promised() const { return promised_; }
  int skipped() const { return skipped_; }

 private:
  void skip(const std::string& variant, const std::string& reason) {
    std::cout << "[  SKIPPED ] " << name_ << " " << variant << ": " << reason << "\n";
    ++skipped_;
  }

  int promised(const std::string& variant) const {
    const std::string prefix = variant + "/f64/";
    return static_cast<int>(
        std::count_if(file_.tensors.begin(), file_.tensors.end(), [&](const NamedTensor& item) {
          return item.name.starts_with(prefix);
        }));
  }

  Tensor tensor(std::string_view name) const {
    const Tensor* const found = file_.find(name);
    if (found == nullptr) throw std::runtime_error(name_ + " has no tensor " + std::string(name));
    return *found;
  }

  std::unique_ptr<Model> build(const std::string& id, const std::string& variant) const {
    const std::map<std::string, std::string> params = {{"channel", "channels"},
                                                       {"num_blocks", "blocks"},
                                                       {"strides", "strides"},
                                                       {"depth", "depth"},
                                                       {"widen_factor", "widen_factor"}};
    std::map<std::string, ParamValue> given;
    const json config = json::parse(file_.metadata.at("config"));
    for (const auto& [key, value] : config.items()) {
      if (value.is_array()) {
        given[params.at(key)] = value.get<std::vector<std::int64_t>>();
      } else {
        given[params.at(key)] = value.get<std::int64_t>();
      }
    }
    const Tensor& input = tensor("input");
    auto model = make_model(id,
                            given,
                            {.channels = input.size(1),
                             .height = input.size(2),
                             .width = input.size(3),
                             .num_classes = tensor(variant + "/f64/logits").size(1)});
    std::vector<NamedTensor> state;
    for (const NamedTensor& item : file_.tensors) {
      if (item.name.starts_with("state/")) state.push_back({item.name.substr(6), item.tensor});
    }
    engine::load_model_state(*model, state, name_);
    model->set_training(false);
    return model;
  }

  // What one pass over the file's batch gives.
  struct Pass {
    Tensor logits;
    Tensor input_gradient;
    std::vector<NamedTensor> gradients;
    std::vector<ode::SolveRecord> solves;
  };

  // Everything that a variant computes in one precision.
  struct Case {
    std::string model;
    std::string variant;
    std::string solver;  // empty: a network without one
    json facts;
  };

  // @param disturbance  parameters and input are multiplied by 1 + disturbance u, u uniform in [-1,
  // 1)
  Pass run(const Case& c, at::ScalarType dtype, double disturbance = 0) const {
    const std::unique_ptr<Model> model = build(c.model, c.variant);
    model->to(device().str(), dtype);
    // A network without a solver gets Euler, which it must not use.
    const std::shared_ptr<Method> method =
        make_plugin<Method>("solver", c.solver.empty() ? "euler" : c.solver);
    ode::DriverOptions options;
    options.is_adaptive = method->traits().is_adaptive;
    if (options.is_adaptive) {
      options.rtol = c.facts["rtol"].get<double>();
      options.atol = c.facts["atol"].get<double>();
    }
    ode::Session session(method, options);
    Tensor x = tensor("input").to(device(), dtype, /*non_blocking=*/false, /*copy=*/true);
    if (disturbance != 0) {
      const at::NoGradGuard no_grad;
      x.mul_(1 + disturbance * (2 * torch::rand_like(x) - 1));
      for (const NamedTensor& item : model->parameters()) {
        item.tensor.mul_(1 + disturbance * (2 * torch::rand_like(item.tensor) - 1));
      }
    }

    x.requires_grad_();
    const Tensor logits = model->forward(x, session);
    torch::nn::functional::cross_entropy(logits, tensor("labels").to(device())).backward();

    Pass pass{logits.detach(), x.grad(), {}, session.solves()};
    for (const NamedTensor& item : model->parameters()) {
      pass.gradients.push_back({item.name, item.tensor.grad()});
    }
    return pass;
  }

  void compare_variant(const Case& c, at::ScalarType dtype) {
    const bool is_double = dtype == at::kDouble;
    SCOPED_TRACE(is_double ? "float64" : "float32");
    const Pass ours = run(c, dtype);

    check_counts(c.facts, is_double ? "f64" : "f32", ours.solves);
    // On a GPU 3x3 convolutions in float32 go through Winograd's transforms.
    const double room = device().is_cpu() ? 1 : kRoomOfTransforms;
    const auto allowed = [&](double in_double, const char* what) {
      return is_double ? in_double : room * (10 * c.facts["noise"][what].get<double>() + 1e-5);
    };
    const Tensor& logits = tensor(c.variant + "/f64/logits");
    ASSERT_EQ(ours.logits.sizes(), logits.sizes());
    EXPECT_LE(distance(ours.logits, logits), allowed(1e-8, "logits")) << "logits";

    const Tensor& input_gradient = tensor(c.variant + "/f64/grad/input");
    ASSERT_EQ(ours.input_gradient.sizes(), input_gradient.sizes());
    check_gradient(c,
                   dtype,
                   input_gradient_of,
                   ours,
                   input_gradient,
                   allowed(1e-6, "grad_input"),
                   "gradient of the input");
    compared_ += 2;

    std::vector<Tensor> expected;
    for (const NamedTensor& item : ours.gradients) {
      const Tensor* const found = file_.find(c.variant + "/f64/grad/" + item.name);
      if (found == nullptr) continue;
      ASSERT_TRUE(item.tensor.defined()) << item.name;
      ASSERT_EQ(item.tensor.sizes(), found->sizes()) << item.name;
      expected.push_back(found->reshape(-1));
    }
    if (expected.empty()) return;
    ASSERT_EQ(expected.size(), ours.gradients.size()) << "gradients of some parameters are missing";
    check_gradient(c,
                   dtype,
                   parameter_gradients_of,
                   ours,
                   torch::cat(expected),
                   allowed(1e-6, "grad_parameters"),
                   "gradients of parameters");
    compared_ += static_cast<int>(expected.size());
  }

  static Tensor input_gradient_of(const Pass& pass) { return pass.input_gradient; }

  static Tensor parameter_gradients_of(const Pass& pass) {
    std::vector<Tensor> parts;
    for (const NamedTensor& item : pass.gradients) parts.push_back(item.tensor.reshape(-1));
    return torch::cat(parts);
  }

  // `noise` is one draw: it says which kinks of leaky ReLU the reference's rounding crossed on the
  // reference's processor. Where another processor's rounding crosses one more, the gradient jumps
  // by a fixed amount although every number is right to seven digits. So a float32 gradient beyond
  // the allowance is held against the jumps that lie within the reach of rounding. They are
  // measured with the float64 network, which has been checked, and not with the float32 results in
  // question.
  void check_gradient(const Case& c,
                      at::ScalarType dtype,
                      Tensor (*part)(const Pass&),
                      const Pass& ours,
                      const Tensor& expected,
                      double allowed,
                      const char* what) {
    const double found = distance(part(ours), expected);
    if (found <= allowed || dtype == at::kDouble) {
      EXPECT_LE(found, allowed) << what;
      return;
    }
    // Float32 rounds every operation by up to 6e-8 of its result. Disturbing all weights and the
    // input by three times that, once, is less than a solve accumulates; 24 draws cross what lies
    // in reach.
    constexpr double kDisturbance = 2e-7;
    constexpr int kDraws = 24;
    torch::manual_seed(1);
    double jump = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      jump = std::max(jump, distance(part(run(c, at::kDouble, kDisturbance)), expected));
    }
    std::cout << "[   kink   ] " << name_ << " " << c.variant << ": " << what << " off by " << found
              << ", allowed " << allowed << ", jumps within rounding up to " << jump << "\n";
    EXPECT_LE(found, jump) << what;
  }

  static double distance(const Tensor& ours, const Tensor& theirs) {
    return ((ours.detach().to(at::kCPU, at::kDouble) - theirs).norm() / theirs.norm())
        .item<double>();
  }

  static void check_counts(const json& facts,
                           const std::string& precision,
                           const std::vector<ode::SolveRecord>& solves) {
    std::map<std::string, std::int64_t> expected;
    for (const auto& [solve, count] : facts["nfe_" + precision].items()) {
      constexpr std::string_view kSuffix = ".odefunc";
      ASSERT_TRUE(solve.ends_with(kSuffix)) << solve;
      expected[solve.substr(0, solve.size() - kSuffix.size())] = count.get<std::int64_t>();
    }
    std::map<std::string, std::int64_t> counted;
    std::int64_t total = 0;
    for (const ode::SolveRecord& record : solves) {
      counted[record.name] += record.statistics.nfe;
      total += record.statistics.nfe;
    }
    EXPECT_EQ(counted, expected) << "evaluations of each solve";
    EXPECT_EQ(total, facts["nfe_total_" + precision].get<std::int64_t>()) << "evaluations in total";
  }

  std::string name_;
  TensorFile file_;
  int compared_ = 0;
  int promised_ = 0;
  int skipped_ = 0;
};

std::vector<fs::path> golden_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

const fs::path kShipped = fs::path(UNMASK_TEST_DATA) / "golden/models";

// A shipped file and how many tensors it has under VARIANT/f64, times two precisions. The numbers
// stand here so that a file that lost tensors, or a variant that was skipped, is noticed.
struct Shipped {
  const char* name;
  int tensors;
};

const std::vector<Shipped>& shipped() {
  static const std::vector<Shipped> files = {{"odenet", 76},
                                             {"resnet10", 80},
                                             {"so_resnet", 116},
                                             {"so_wide_resnet", 90},
                                             {"sonet", 122},
                                             {"sonet4", 8},
                                             {"wide_resnet", 72}};
  return files;
}

void PrintTo(const Shipped& file, std::ostream* out) {
  *out << file.name;
}

class GoldenModels : public testing::TestWithParam<Shipped> {};

INSTANTIATE_TEST_SUITE_P(Shipped,
                         GoldenModels,
                         testing::ValuesIn(shipped()),
                         [](const auto& test_info) { return std::string(test_info.param.name); });

TEST_P(GoldenModels, AgreeInValuesGradientsAndCounts) {
  GoldenFile golden(kShipped / (std::string(GetParam().name) + ".safetensors"));

  golden.compare();

  EXPECT_EQ(golden.compared(), GetParam().tensors);
  EXPECT_EQ(golden.compared(), golden.promised());
  EXPECT_EQ(golden.skipped(), 0);
}

TEST(GoldenModels, NoShippedFileIsForgotten) {
  EXPECT_EQ(golden_files(kShipped).size(), shipped().size());
}

// More files, from the folder that UNMASK_GOLDEN_MODELS names.
TEST(GoldenModels, AgreeWithTheFilesOfTheUser) {
  const char* const folder = std::getenv("UNMASK_GOLDEN_MODELS");
  if (folder == nullptr || *folder == '\0') GTEST_SKIP() << "UNMASK_GOLDEN_MODELS is not set";
  int compared = 0;
  int promised = 0;
  int skipped = 0;

  for (const fs::path& path : golden_files(folder)) {
    GoldenFile golden(path);
    golden.compare();
    compared += golden.compared();
    promised += golden.promised();
    skipped += golden.skipped();
  }

  std::cout << "[ compared ] " << folder << ": " << compared << " tensors of " << promised
            << " promised\n";
  EXPECT_EQ(compared, promised);
  EXPECT_GT(compared + skipped, 0) << "no file with the extension .safetensors in " << folder;
  if (compared == 0)
    GTEST_SKIP() << "nothing in " << folder << " names a model and a solver that are built";
}

}  // namespace
}  // namespace unmask::test::golden_test
