// Recording without a device: a stand-in graph that runs the recorded work again. It shows that
// tensors are handed over, that work is counted as if every pass had been run, and when passes are
// recorded. What CUDA makes of it is asked by the tests labelled gpu.

#include "engine/recorded_pass.hpp"

#include <torch/cuda.h>
#include <torch/types.h>

#include <gtest/gtest.h>

#include "engine/target.hpp"
#include "unit/engine/tiny_model.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::recorded_pass_test {
namespace {

struct Calls {
  int captured = 0;
  int replayed = 0;
};

class RepeatingGraph final : public DeviceGraph {
 public:
  explicit RepeatingGraph(Calls& calls) : calls_(calls) {}
  void capture(const std::function<void()>& work) override {
    ++calls_.captured;
    work_ = work;
    work_();
  }
  void replay() override {
    ++calls_.replayed;
    work_();
  }

 private:
  Calls& calls_;
  std::function<void()> work_;
};

DeviceGraphMaker maker(Calls& calls) {
  return [&calls] { return std::make_unique<RepeatingGraph>(calls); };
}

Tensor batch(double shift) {
  return four_samples().images.to(torch::kDouble) + shift;
}
Tensor labels() {
  return four_samples().labels;
}
LinearModel model_with_ode() {
  return LinearModel(difference_weight().to(torch::kDouble), true);
}

SolverSetup replaying() {
  SolverSetup setup = make_setup(true);
  setup.options.controller = ode::ControllerKind::kReplay;
  return setup;
}

TEST(RecordedPasses, GiveTheLossesAndGradientsOfRunPasses) {
  LinearModel model = model_with_ode();
  SolveLog run_log;
  SolveLog log;
  NetworkTarget run(model, make_setup(false), {}, {}, 2, run_log);
  NetworkTarget recorded(model, make_setup(false), {}, {}, 2, log);
  Calls calls;
  recorded.record_passes(maker(calls));

  for (int i = 0; i < 5; ++i) {
    const Tensor x = batch(0.01 * i);
    const LossGradient a = run.loss_and_gradient(x, labels(), Loss::kCrossEntropy);
    const LossGradient b = recorded.loss_and_gradient(x, labels(), Loss::kCrossEntropy);
    EXPECT_TRUE(torch::equal(a.gradient, b.gradient)) << i;
    EXPECT_TRUE(torch::equal(a.logits, b.logits)) << i;
    EXPECT_TRUE(torch::equal(a.loss, b.loss)) << i;
    EXPECT_TRUE(torch::equal(run.logits(x), recorded.logits(x))) << i;
  }
  EXPECT_EQ(calls.captured, 3);      // forward and backward; forward without a gradient
  EXPECT_EQ(calls.replayed, 3 * 3);  // each, from the third pass on
}

TEST(RecordedPasses, DifferentiateSeveralLosses) {
  LinearModel model = model_with_ode();
  SolveLog log;
  NetworkTarget target(model, make_setup(false), {}, {}, 2, log);
  const auto every_logit = [](const Tensor& logits) { return logits; };
  const LossGradient run = target.loss_and_gradient(batch(0), every_logit);
  Calls calls;
  target.record_passes(maker(calls));
  LossGradient recorded;
  for (int i = 0; i < 3; ++i) recorded = target.loss_and_gradient(batch(0), every_logit);

  EXPECT_EQ(calls.replayed, 1 + 2);
  EXPECT_TRUE(torch::equal(run.gradient, recorded.gradient));
}

TEST(RecordedPasses, AreCountedAsIfTheyWereRun) {
  LinearModel model = model_with_ode();
  const auto counters = [&](const DeviceGraphMaker& make) {
    SolveLog log;
    NetworkTarget target(model, make_setup(false), {}, {}, 2, log);
    if (make) target.record_passes(make);
    target.begin_batch(batch(0));
    for (int i = 0; i < 4; ++i) {
      target.loss_and_gradient(batch(0.01), labels(), Loss::kMargin);
      target.logits(batch(0.01));
    }
    EXPECT_EQ(target.queries(), (std::vector<std::int64_t>{8, 8, 8, 8}));
    const wire::SolveStats row = log.rows().at(0);
    return std::vector<std::int64_t>{target.counters().forwards,
                                     target.counters().backwards,
                                     target.counters().nfe,
                                     row.solves,
                                     row.accepted,
                                     row.nfe_total};
  };
  Calls calls;

  EXPECT_EQ(counters(maker(calls)), counters({}));
  EXPECT_GT(calls.replayed, 0);
}

TEST(RecordedPasses, AreRecordedAnewWhenTheReplayedScheduleChanges) {
  LinearModel model = model_with_ode();
  SolveLog run_log;
  SolveLog log;
  NetworkTarget run(model, make_setup(true), {replaying()}, {.is_coupled = true}, 2, run_log);
  NetworkTarget recorded(model, make_setup(true), {replaying()}, {.is_coupled = true}, 2, log);
  Calls calls;
  recorded.record_passes(maker(calls));

  for (const double shift : {0.0, 0.9}) {  // larger states take other steps
    run.begin_batch(batch(shift));
    recorded.begin_batch(batch(shift));
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(torch::equal(
          run.loss_and_gradient(batch(shift + 0.01), labels(), Loss::kMargin).gradient,
          recorded.loss_and_gradient(batch(shift + 0.01), labels(), Loss::kMargin).gradient))
          << shift;
    }
  }
  EXPECT_EQ(calls.captured, 4);  // forward and backward of each batch
}

TEST(RecordedPasses, LeaveSolversAloneThatLookAtWhatTheyCompute) {
  LinearModel model = model_with_ode();
  SolveLog log;
  NetworkTarget target(model, make_setup(true), {}, {.is_coupled = true}, 2, log);
  Calls calls;
  target.record_passes(maker(calls));

  for (int i = 0; i < 4; ++i) target.loss_and_gradient(batch(0), labels(), Loss::kMargin);

  EXPECT_EQ(calls.captured, 0);
}

TEST(RecordedPasses, KeepAtMostEightShapes) {
  LinearModel model = model_with_ode();
  SolveLog log;
  NetworkTarget target(model, make_setup(false), {}, {}, 2, log);
  Calls calls;
  target.record_passes(maker(calls));
  const auto pass = [&](std::int64_t rows) {
    target.logits(at::ones({rows, 1, 1, 2}, at::kDouble));
  };

  for (std::int64_t rows = 1; rows <= 9; ++rows) {
    for (int i = 0; i < 3; ++i) pass(rows);
  }
  EXPECT_EQ(calls.captured, 9);
  const int replayed = calls.replayed;
  pass(9);  // still there
  pass(1);  // was forgotten with the first eight
  EXPECT_EQ(calls.replayed, replayed + 1);
}

TEST(CudaGraphs, RefuseADeviceThatIsNotCuda) {
  EXPECT_THROW(cuda_graph_maker("cpu"), UsageError);
}

// Values and gradients of a recorded pass on the device itself.
TEST(Gpu, RecordsPassesAsCudaGraphs) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "LibTorch sees no CUDA device";
  LinearModel model(difference_weight().to(torch::kDouble).to(torch::kCUDA), true);
  const auto on_device = [](const Tensor& t) { return t.to(torch::kCUDA); };
  SolveLog log;
  NetworkTarget run(model, make_setup(false), {}, {}, 2, log);
  NetworkTarget recorded(model, make_setup(false), {}, {}, 2, log);
  recorded.record_passes(cuda_graph_maker("cuda:0"));

  for (int i = 0; i < 5; ++i) {
    const Tensor x = on_device(batch(0.01 * i));
    const LossGradient a = run.loss_and_gradient(x, on_device(labels()), Loss::kCrossEntropy);
    const LossGradient b = recorded.loss_and_gradient(x, on_device(labels()), Loss::kCrossEntropy);
    // The same kernels in the same order: equal bit by bit.
    EXPECT_TRUE(torch::equal(a.gradient, b.gradient)) << i;
    EXPECT_TRUE(torch::equal(a.logits, b.logits)) << i;
  }
}

}  // namespace
}  // namespace unmask::engine::recorded_pass_test
