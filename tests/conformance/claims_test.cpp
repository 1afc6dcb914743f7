// Every shipped solver, model, attack, objective and probe keeps every claim of its kind, with the
// parameters that its folder gives as examples. (Data sets need files: dataset_conformance_test.)

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include <torch/script.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include "conformance/claim.hpp"
#include "conformance/subjects.hpp"

namespace unmask::test::claims_test {
namespace {

using conformance::Claim;
using conformance::Subject;

// A plugin, and one of its claims.
struct ClaimCase {
  std::string kind;
  std::string id;
  const Claim* claim;
};

void PrintTo(const ClaimCase& which, std::ostream* out) {
  *out << which.kind << " " << which.id << " " << which.claim->words;
}

std::string claim_name(const testing::TestParamInfo<ClaimCase>& info) {
  return info.param.id + "_" + conformance::identifier(*info.param.claim);
}

std::vector<ClaimCase> claim_cases(const std::string& kind) {
  std::vector<ClaimCase> all;
  for (const std::string& id : plugin_ids(kind)) {
    for (const Claim& claim : conformance::declaration_claims()) all.push_back({kind, id, &claim});
    for (const Claim& claim : conformance::claims_of(kind)) all.push_back({kind, id, &claim});
  }
  return all;
}

// A TorchScript file of a classifier; removed in the end.
class ScriptedClassifier {
 public:
  explicit ScriptedClassifier(const ModelContext& context)
      : path_(std::filesystem::temp_directory_path() /
              ("unmask-claims-" + std::to_string(::getpid()) + "-" +
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

std::vector<std::pair<std::string, conformance::Values>> examples_for(const ClaimCase& which) {
  if (which.id != "torchscript") return examples_of(which.kind, which.id);
  // Such a network has one size of images, and refuses others.
  static const ScriptedClassifier grey(conformance::kImageShapes[0]);
  static const ScriptedClassifier coloured(conformance::kImageShapes[1]);
  return {{"grey", {{"file", grey.path()}}}, {"coloured", {{"file", coloured.path()}}}};
}

class ShippedPlugin : public testing::TestWithParam<ClaimCase> {};

TEST_P(ShippedPlugin, KeepsTheClaim) {
  const ClaimCase& which = GetParam();
  for (const auto& [name, values] : examples_for(which)) {
    const Subject subject = subject_of(which.kind, which.id, values);

    const conformance::Verdict verdict = conformance::try_claim(*which.claim, subject);

    for (const std::string& problem : verdict.problems) {
      ADD_FAILURE() << which.kind << " " << which.id << " with \"" << name << "\": " << problem;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Solver,
                         ShippedPlugin,
                         testing::ValuesIn(claim_cases("solver")),
                         claim_name);
INSTANTIATE_TEST_SUITE_P(Model, ShippedPlugin, testing::ValuesIn(claim_cases("model")), claim_name);
INSTANTIATE_TEST_SUITE_P(Attack,
                         ShippedPlugin,
                         testing::ValuesIn(claim_cases("attack")),
                         claim_name);
INSTANTIATE_TEST_SUITE_P(Objective,
                         ShippedPlugin,
                         testing::ValuesIn(claim_cases("objective")),
                         claim_name);
INSTANTIATE_TEST_SUITE_P(Probe, ShippedPlugin, testing::ValuesIn(claim_cases("probe")), claim_name);

TEST(ShippedPlugins, AreAllThere) {
  for (const auto& [kind, least] : std::map<std::string, std::size_t>{
           {"solver", 18}, {"model", 10}, {"attack", 19}, {"objective", 4}, {"probe", 12}}) {
    EXPECT_GE(plugin_ids(kind).size(), least) << kind;
  }
}

}  // namespace
}  // namespace unmask::test::claims_test
