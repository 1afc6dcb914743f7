// A training that is interrupted anywhere and continued gives, bit by bit, what it would have given
// undisturbed.

#include <fstream>
#include <stdexcept>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "engine/training.hpp"
#include "unit/engine/tiny_model.hpp"
#include "unit/engine/training_case.hpp"

namespace unmask::engine::training_resume_test {
namespace {

using Values = std::map<std::string, ParamValue>;

// An ODE block, batch normalisation and dropout: a state of every kind.
class FullModel final : public Model {
 public:
  Tensor forward(const Tensor& x, OdeContext& ode) override {
    const Tensor flow = ode.integrate("flow", std::make_shared<Growth>(), {x}, 0, 1)[0].flatten(1);
    const Tensor normal =
        at::batch_norm(flow, {}, {}, mean_, variance_, is_training_, 0.1, 1e-5, false);
    return at::linear(at::dropout(normal, 0.3, is_training_), weight_, bias_);
  }
  std::vector<NamedTensor> parameters() override { return {{"weight", weight_}, {"bias", bias_}}; }
  std::vector<NamedTensor> buffers() override { return {{"mean", mean_}, {"variance", variance_}}; }
  void set_training(bool training) override { is_training_ = training; }
  void to(const std::string&, at::ScalarType) override {}

 private:
  class Growth final : public VectorField {
   public:
    State evaluate(const Scalar&, const State& y) override { return {0.8 * y[0] * y[0]}; }
  };

  Tensor weight_ = torch::tensor({{0.1f, -0.2f, 0.3f, 0.0f}, {0.2f, 0.1f, -0.1f, 0.4f}});
  Tensor bias_ = torch::zeros({2});
  Tensor mean_ = torch::zeros({4});
  Tensor variance_ = torch::ones({4});
  bool is_training_ = false;
};

class NoisyAdversary final : public Objective {
 public:
  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    const Tensor start = (x + step.random().uniform(x, -0.05, 0.05)).clamp(0, 1);
    const Tensor g = step.target().loss_and_gradient(start, y, Loss::kCrossEntropy).gradient;
    const Tensor moved = (start + 0.05 * g.sign()).clamp(0, 1);
    return per_sample_loss(step.logits(moved), y, Loss::kCrossEntropy).mean();
  }
};

LoadedSplit ten_samples() {
  const Tensor images = (torch::arange(10 * 4) * 37 % 256).to(torch::kByte).view({10, 1, 2, 2});
  return {images, torch::arange(10) % 2};
}

struct Stop : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Trained {
  std::vector<NamedTensor> tensors;
  wire::CellResult result;
  std::int64_t first_step = 0;  // that was reported as done
};

// Trains a new model; stops after `stop_after` steps when that is above 0.
Trained train_once(const Values& values,
                   const std::optional<SnapshotPlace>& place,
                   std::int64_t stop_after = 0) {
  FullModel model;
  NoisyAdversary objective;
  const SolverSetup solver = make_setup(/*is_adaptive=*/true);
  const LoadedSplit data = ten_samples();
  Trained trained;
  train({model, objective, solver, data, 2, "cpu", at::kFloat, 23, place},
        training_options(values),
        trained.result,
        [&](std::int64_t done, std::int64_t, const std::string&) {
          if (trained.first_step == 0) trained.first_step = done;
          if (done == stop_after) throw Stop("stopped by the test");
        });
  trained.tensors = model.parameters();
  for (NamedTensor& buffer : model.buffers()) trained.tensors.push_back(buffer);
  return trained;
}

// All of a result but what a clock has measured.
std::string timeless(wire::CellResult result) {
  std::erase_if(result.series, [](const wire::Series& s) { return s.name == "images_per_s"; });
  return nlohmann::json(result).dump();
}

void expect_equal(const Trained& a, const Trained& b) {
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (std::size_t i = 0; i < a.tensors.size(); ++i) {
    EXPECT_TRUE(torch::equal(a.tensors[i].tensor, b.tensors[i].tensor)) << a.tensors[i].name;
  }
  EXPECT_EQ(timeless(a.result), timeless(b.result));
}

struct Case {
  const char* name;
  Values values;
};

const std::int64_t kEpochs = 3;

Values with(Values values) {
  values.insert({{"epochs", kEpochs},
                 {"batch_size", std::int64_t{4}},
                 {"learning_rate", 0.05},
                 {"crop_padding", std::int64_t{1}},
                 {"horizontal_flip", true}});
  return values;
}

class Resume : public ::testing::TestWithParam<Case> {
 protected:
  SnapshotPlace place(double interval_s) const {
    SnapshotPlace place = snapshot_place(folder_.path(), std::string(64, 'a'));
    place.interval_s = interval_s;
    return place;
  }

  base::TempFolder folder_{"unmask-resume-"};
};

TEST_P(Resume, AfterEveryStepIsBitIdentical) {
  const Values values = with(GetParam().values);
  const Trained undisturbed = train_once(values, std::nullopt);
  const std::int64_t steps = GetParam().values.contains("validation") ? 2 : 3;
  for (std::int64_t stop = 1; stop < kEpochs * steps; ++stop) {
    std::filesystem::remove(place(0).file);
    EXPECT_THROW(train_once(values, place(0), stop), Stop);

    const Trained continued = train_once(values, place(0));

    expect_equal(continued, undisturbed);
    // The end of an epoch is reported before its snapshot is written, the middle of one after.
    EXPECT_EQ(continued.first_step, stop % steps == 0 ? stop : stop + 1) << "it began anew";
    ASSERT_FALSE(HasFailure()) << "stopped after step " << stop;
  }
}

TEST_P(Resume, FromTheEndOfAnEpochIsBitIdentical) {
  const Values values = with(GetParam().values);
  const Trained undisturbed = train_once(values, std::nullopt);
  const std::int64_t steps = GetParam().values.contains("validation") ? 2 : 3;
  EXPECT_THROW(train_once(values, place(1e9), steps + 1), Stop);

  const Trained continued = train_once(values, place(1e9));

  expect_equal(continued, undisturbed);
  EXPECT_EQ(continued.first_step, steps + 1);
}

INSTANTIATE_TEST_SUITE_P(
    Recipes,
    Resume,
    ::testing::Values(
        Case{"sgd", {}},
        Case{"nesterov_cosine", {{"nesterov", true}, {"schedule", std::string("cosine")}}},
        Case{"adam_ema", {{"optimizer", std::string("adam")}, {"averaging", std::string("ema")}}},
        Case{"adamw_swa",
             {{"optimizer", std::string("adamw")},
              {"weight_decay", 0.1},
              {"averaging", std::string("swa")},
              {"schedule", std::string("one_cycle")}}},
        Case{"best",
             {{"validation", std::int64_t{4}},
              {"keep", std::string("best")},
              {"averaging", std::string("ema")},
              {"averaging_start", std::int64_t{1}},
              {"clip_norm", 0.5}}},
        Case{"patience",
             {{"validation", std::int64_t{4}},
              {"patience", std::int64_t{2}},
              {"averaging", std::string("swa")}}}),
    [](const auto& entry) { return std::string(entry.param.name); });

class ResumeOnce : public Resume {};

TEST_F(ResumeOnce, LeavesASnapshotWhenAskedToStop) {
  const Values values = with({});
  SnapshotPlace asked = place(1e9);
  int asked_for = 0;
  asked.is_stopping = [&] { return ++asked_for == 5; };
  EXPECT_THROW(train_once(values, asked), TrainingStopped);

  const Trained continued = train_once(values, place(1e9));

  // Asked after two steps of the first epoch of three, at its end, and after two more.
  EXPECT_EQ(continued.first_step, 6);
  expect_equal(continued, train_once(values, std::nullopt));
}

TEST_F(ResumeOnce, BeginsAnewWhenTheSnapshotIsDamaged) {
  const Values values = with({});
  EXPECT_THROW(train_once(values, place(0), 7), Stop);
  {
    std::fstream file(place(0).file, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('\x7f');
  }

  ::testing::internal::CaptureStderr();
  const Trained anew = train_once(values, place(0));
  const std::string warning = ::testing::internal::GetCapturedStderr();

  EXPECT_EQ(anew.first_step, 1);
  EXPECT_NE(warning.find("cannot be continued"), std::string::npos) << warning;
  expect_equal(anew, train_once(values, std::nullopt));
}

TEST_F(ResumeOnce, GoesOnWhenNoSnapshotCanBeWritten) {
  SnapshotPlace nowhere = place(0);
  std::ofstream(folder_.path() / "file") << "not a folder";
  nowhere.file = folder_.path() / "file" / "snapshot.safetensors";

  ::testing::internal::CaptureStderr();
  const Trained trained = train_once(with({}), nowhere);
  const std::string warning = ::testing::internal::GetCapturedStderr();

  EXPECT_NE(warning.find("no snapshot"), std::string::npos);
  expect_equal(trained, train_once(with({}), std::nullopt));
}

}  // namespace
}  // namespace unmask::engine::training_resume_test
