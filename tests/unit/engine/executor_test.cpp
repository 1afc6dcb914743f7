// Files that a cell names: found through its locals, and the ones that its key was made with.

#include "engine/executor.hpp"

#include <torch/types.h>
#include <torch/utils.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "engine/checkpoint.hpp"
#include "unmask/errors.hpp"
#include "wire/key.hpp"

namespace unmask::engine::executor_test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// A training of no epochs on a few strokes: the linear model with the weights of a file.
class ExecutorFiles : public ::testing::Test {
 protected:
  ExecutorFiles() {
    torch::manual_seed(1);
    weights_ = {{"linear.weight", at::randn({10, 400})}, {"linear.bias", at::randn({10})}};
    write_safetensors(file(), weights_);
    const json params = {{"train_count", 10}, {"test_count", 100}};
    const wire::DatasetFacts facts = dataset_facts(registry_, "strokes", params);
    spec_ = {
        {"kind", "train"},
        {"dtype", "float32"},
        {"dataset", {{"plugin", "strokes"}, {"params", params}, {"content", facts.content_hash}}},
        {"model", {{"plugin", "linear"}, {"params", json::object()}}},
        {"objective",
         {{"plugin", "cross_entropy"},
          {"params", {{"epochs", 0}, {"weights", wire::identity_of_file(file())}}}}},
        {"solver", {{"plugin", "euler"}, {"params", json::object()}}},
        {"seed", 0}};
    locals_ = {{"objective", {{"weights", file().string()}}}};
  }

  std::filesystem::path file() const { return folder_.path() / "net.safetensors"; }

  wire::CellResult execute() {
    Executor executor(registry_, "cpu", folder_.path() / "checkpoints");
    return executor.execute(wire::key_of(spec_),
                            spec_,
                            locals_,
                            {},
                            [](std::int64_t, std::int64_t, const std::string&) {});
  }

  base::TempFolder folder_;
  loader::Registry registry_{{std::string(UNMASK_BINARY_DIR) + "/lib/unmask/plugins"}};
  std::vector<NamedTensor> weights_;
  json spec_;
  json locals_;
};

TEST_F(ExecutorFiles, WeightsBecomeTheCheckpointOfATrainingWithoutEpochs) {
  const wire::CellResult result = execute();

  const TensorFile checkpoint =
      load_checkpoint(folder_.path() / "checkpoints", result.checkpoint.value());
  for (const NamedTensor& item : weights_) {
    const Tensor* const stored = checkpoint.find(item.name);
    ASSERT_NE(stored, nullptr) << item.name;
    EXPECT_TRUE(at::equal(*stored, item.tensor)) << item.name;
  }
}

TEST_F(ExecutorFiles, WeightsAreWhereATrainingBegins) {
  spec_["objective"]["params"]["epochs"] = 1;
  spec_["objective"]["params"]["learning_rate"] = 1e-30;  // too small to move a float32 weight

  const wire::CellResult result = execute();

  const TensorFile checkpoint =
      load_checkpoint(folder_.path() / "checkpoints", result.checkpoint.value());
  EXPECT_TRUE(at::equal(*checkpoint.find("linear.weight"), weights_[0].tensor));
}

TEST_F(ExecutorFiles, AFileThatChangedSinceThePlanIsRefused) {
  weights_[0].tensor.add_(1);
  write_safetensors(file(), weights_);

  try {
    execute();
    FAIL() << "the cell ran with another file than its key says";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("has changed since the run was planned"));
    EXPECT_THAT(error.what(), HasSubstr(file().string()));
    EXPECT_THAT(error.what(), HasSubstr("\"weights\""));
  }
}

TEST_F(ExecutorFiles, AFileThatVanishedIsRefused) {
  std::filesystem::remove(file());

  EXPECT_THROW(execute(), DataError);
}

TEST_F(ExecutorFiles, TheOutputsOfATrainingAreDescribed) {
  const wire::CellResult result = execute();

  std::vector<std::string> names;
  for (const wire::Metric& metric : result.metrics) names.push_back(metric.name);
  EXPECT_THAT(names, testing::IsSupersetOf({"output_min", "output_max", "output_is_probability"}));
}

// An attack cell on the network of the file.
class ExecutorPairs : public ExecutorFiles {
 protected:
  ExecutorPairs() : checkpoint_(execute().checkpoint.value()) {}

  json attack(const json& solver_params, std::int64_t seed = 0) const {
    json spec = {{"kind", "attack"},
                 {"dtype", "float32"},
                 {"gradient", nullptr},
                 {"attack", {{"plugin", "random_noise"}, {"params", {{"repeats", 3}}}}},
                 {"epsilon", 0.3},
                 {"seed", seed},
                 {"samples", 0},
                 {"batch_size", 50}};
    for (const char* part : {"dataset", "model", "solver"}) spec[part] = spec_.at(part);
    spec["solver"]["params"] = solver_params;
    return spec;
  }

  wire::CellResult execute_attack(const json& spec) {
    Executor executor(registry_, "cpu", folder_.path() / "checkpoints");
    CellFiles files;
    files.checkpoint = checkpoint_;
    return executor.execute(wire::key_of(spec),
                            spec,
                            json::object(),
                            files,
                            [](std::int64_t, std::int64_t, const std::string&) {});
  }

  wire::CheckpointFile checkpoint_;
};

json outcomes(const wire::CellResult& result) {
  return json(result).at("outcomes");
}

// The network has no ODE block, so its solvers differ in nothing but their names: neither do the
// rows, down to the distances of the points that were drawn.
TEST_F(ExecutorPairs, CellsThatAreComparedShareTheirRandomDraws) {
  const json plain = attack(json::object());
  const json other = attack({{"step_size", 0.5}});
  ASSERT_NE(wire::key_of(plain), wire::key_of(other));

  EXPECT_EQ(outcomes(execute_attack(plain)), outcomes(execute_attack(other)));
  EXPECT_NE(outcomes(execute_attack(plain)), outcomes(execute_attack(attack(json::object(), 1))));
}

// ---- parts ----

class ExecutorParts : public ExecutorPairs {
 protected:
  Executor::Executed execute_part(const wire::PartOrder& order, bool keeps_adversarials = false) {
    Executor executor(registry_, "cpu", folder_.path() / "checkpoints");
    const json spec = attack(json::object());
    return executor.execute(wire::key_of(spec),
                            spec,
                            json::object(),
                            {.checkpoint = checkpoint_, .keeps_adversarials = keeps_adversarials},
                            order,
                            [](std::int64_t, std::int64_t, const std::string&) {});
  }
};

// Two batches of fifty.
TEST_F(ExecutorParts, StopsAtTheEndOfABatchWhenTheTimeIsOver) {
  const auto part = std::get<wire::CellPart>(execute_part({.seconds = 1e-9}));

  EXPECT_EQ(part.span.first, 0);
  EXPECT_EQ(part.span.count, 50);
  EXPECT_EQ(part.total, 100);
  EXPECT_GT(part.found.wall_s, 0);
}

TEST_F(ExecutorParts, DoesTheSamplesThatAreOrdered) {
  const auto part = std::get<wire::CellPart>(execute_part({.first = 50, .count = 50}));

  EXPECT_EQ(part.span.first, 50);
  EXPECT_EQ(part.found.outcomes.front().sample, 50);
}

TEST_F(ExecutorParts, ACellThatIsSoonDoneIsItsResult) {
  EXPECT_TRUE(std::holds_alternative<wire::CellResult>(execute_part({.seconds = 1000})));
}

TEST_F(ExecutorParts, ImagesThatAreKeptComeFromAWholeCell) {
  const auto executed = execute_part({.seconds = 1e-9}, /*keeps_adversarials=*/true);

  EXPECT_TRUE(std::get<wire::CellResult>(executed).adversarials.has_value());
}

}  // namespace
}  // namespace unmask::engine::executor_test
