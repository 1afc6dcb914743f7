#include "engine/training.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <utility>

#include <torch/types.h>
#include <torch/utils.h>

#include "base/counted.hpp"
#include "engine/batches.hpp"
#include "engine/epoch_sums.hpp"
#include "engine/learning_rate.hpp"
#include "engine/mixed_precision.hpp"
#include "engine/optimizer.hpp"
#include "engine/plugin_results.hpp"
#include "engine/tensor_lists.hpp"
#include "engine/training_selection.hpp"
#include "engine/training_step.hpp"
#include "unmask/errors.hpp"
#include "unmask/random.hpp"

namespace unmask::engine {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Steps between two looks at what a device has summed; each look waits for the device.
constexpr std::int64_t kStepsPerRead = 50;
// The end of an epoch is a good place for a snapshot, unless snapshots would take more than one
// part in this many of the time.
constexpr double kWorkPerSnapshot = 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Counts of the solve log.
struct Evaluations {
  std::int64_t forward = 0;
  std::int64_t backward = 0;
  std::int64_t rejected = 0;
};

void check(const TrainingInput& input, const TrainingOptions& options) {
  const ode::DriverOptions& solver = input.solver.options;
  if (solver.is_adaptive && solver.controller == ode::ControllerKind::kReplay) {
    throw ParamError(
        "controller \"replay\" follows the steps of a clean batch, which a training step does not "
        "have; use it for the gradient of an attack");
  }
  if (options.epochs == 0) return;
  const std::int64_t n = input.data.size();
  if (n == 0) throw DataError("the training split is empty");
  if (options.validation >= n) {
    throw ParamError("validation = " + std::to_string(options.validation) +
                     " leaves nothing to train on: the training split has " +
                     base::counted(n, "sample"));
  }
  if (!options.mixed_precision) return;
  if (input.device == "cpu") {
    throw ParamError(
        "precision \"mixed\" needs a CUDA device, and this cell runs on the CPU; use \"full\"");
  }
  if (input.dtype != at::kFloat) {
    throw ParamError("precision \"mixed\" needs dtype \"float32\"; use \"full\" with float64");
  }
  if (solver.gradient != ode::GradientMode::kDirect) {
    throw ParamError(
        "precision \"mixed\" needs a training solver with gradient \"direct\": the others compute "
        "again in the backward pass, which runs in full precision");
  }
}

class Trainer {
 public:
  Trainer(const TrainingInput& input,
          const TrainingOptions& options,
          const ProgressCallback& progress)
      : input_(input),
        options_(options),
        progress_(progress),
        plan_{input.data.size() - (options.epochs > 0 ? options.validation : 0),
              options.batch_size,
              options.crop_padding,
              options.horizontal_flip,
              input.seed,
              input.device,
              input.dtype},
        steps_(plan_.steps()),
        selection_(input, options, plan_, log_, counters_),
        optimizer_(options, input.model.parameters()),
        network_(
            input.model, input.solver, input.num_classes, options.mixed_precision, log_, counters_),
        sums_(input.device, 0, 0),
        last_snapshot_(Clock::now()) {}

  void run(wire::CellResult& result) {
    resume();
    if (!is_finished()) {
      BatchStream batches(input_.data, plan_, options_.epochs, epoch_, step_);
      while (!is_finished()) run_epoch(batches);
    }
    selection_.keep();
    report(result);
  }

 private:
  // ---- epochs and steps ----

  bool is_finished() const { return epoch_ >= options_.epochs || !selection_.is_patient(epoch_); }

  void run_epoch(BatchStream& batches) {
    if (step_ == 0) begin_epoch();
    while (step_ < steps_) {
      const auto start = Clock::now();
      run_step(batches.next());
      seconds_ += seconds_since(start);
      ++step_;
      if (step_ < steps_) leave_snapshot();
      progress_(epoch_ * steps_ + step_, options_.epochs * steps_, note_);
    }
    end_epoch();
    if (!is_finished()) leave_snapshot();
  }

  void begin_epoch() {
    sums_ = EpochSums(input_.device, 0, 0);
    seconds_ = 0;
    before_epoch_ = evaluations();
  }

  void run_step(const Batch& batch) {
    const std::int64_t index = epoch_ * steps_ + step_;
    optimizer_.set_learning_rate(learning_rate_at(options_, index, steps_));
    // For layers that draw from LibTorch's own generator: dropout.
    torch::manual_seed(derive_seed(input_.seed, "step", static_cast<std::uint64_t>(index)));
    const auto epoch = static_cast<std::uint64_t>(epoch_);
    network_.begin(SampleRandom(derive_seed(input_.seed, "objective", epoch), batch.samples));
    const Tensor loss = loss_of(batch);
    sums_.add(loss, network_.last_logits(), batch.y, step_);
    if (is_read_due()) read_sums();

    optimizer_.clear_gradients();
    network_.backward(loss);
    if (options_.clip_norm > 0) optimizer_.clip_gradients(options_.clip_norm);
    optimizer_.step();
    selection_.after_step(epoch_);
  }

  Tensor loss_of(const Batch& batch) {
    Tensor loss;
    try {
      const Autocast autocast(options_.mixed_precision);
      loss = input_.objective.loss(network_, batch.x, batch.y);
    } catch (const NumericError&) {
      // It may follow from a loss that was not finite in an earlier step, which says more.
      check_finite();
      throw;
    } catch (const c10::Error& error) {
      refuse_single_sample(batch, error.what());
      throw;
    }
    if (!network_.last_logits().defined() || network_.last_logits().size(0) < batch.y.size(0)) {
      throw NumericError("the objective did not compute the logits of its batch");
    }
    expect_training_loss(loss);
    return loss;
  }

  // Batch normalisation has no variance of one sample, and LibTorch does not know where the sample
  // came from.
  void refuse_single_sample(const Batch& batch, const std::string& problem) const {
    if (batch.samples.size() != 1 ||
        problem.find("Expected more than 1 value per channel") == std::string::npos) {
      return;
    }
    std::int64_t other = plan_.batch_size + 1;
    while (plan_.count % other == 1) ++other;
    throw ParamError(
        "epoch " + std::to_string(epoch_ + 1) + ", step " + std::to_string(step_ + 1) + " of " +
        std::to_string(steps_) +
        ": its batch has one sample, of which batch normalisation has no variance; use "
        "another batch_size than " +
        std::to_string(plan_.batch_size) + " for " + base::counted(plan_.count, "training sample") +
        ", for example " + std::to_string(other));
  }

  bool is_read_due() const {
    return input_.device == "cpu" || step_ + 1 == steps_ || (step_ + 1) % kStepsPerRead == 0;
  }

  void check_finite() const {
    const std::int64_t bad = sums_.bad_step();
    if (bad < 0) return;
    // No learning rate is to blame before a weight has changed.
    const bool is_first = epoch_ == 0 && bad == 0;
    throw NumericError("the training loss is not finite in epoch " + std::to_string(epoch_ + 1) +
                       ", step " + std::to_string(bad + 1) + " of " + std::to_string(steps_) +
                       (is_first ? ", before any weight has changed: look at the initial weights, "
                                   "the network and the objective"
                                 : "; a smaller learning_rate may help"));
  }

  void read_sums() {
    check_finite();
    const auto seen = static_cast<double>(std::min(plan_.count, (step_ + 1) * plan_.batch_size));
    char text[64];
    std::snprintf(text,
                  sizeof text,
                  "loss %.3f, accuracy %.1f %%",
                  sums_.loss() / seen,
                  100 * static_cast<double>(sums_.correct()) / seen);
    note_ = text;
  }

  void end_epoch() {
    const auto n = static_cast<double>(plan_.count);
    const Evaluations now = evaluations();
    record("train_loss", sums_.loss() / n);
    record("train_accuracy", static_cast<double>(sums_.correct()) / n);
    record("learning_rate", learning_rate_at(options_, epoch_ * steps_, steps_));
    record("nfe_forward", static_cast<double>(now.forward - before_epoch_.forward));
    record("nfe_backward", static_cast<double>(now.backward - before_epoch_.backward));
    record("rejected_steps", static_cast<double>(now.rejected - before_epoch_.rejected));
    record("images_per_s", n / seconds_);
    ++epoch_;
    step_ = 0;
    if (const std::optional<Score> score = selection_.after_epoch(epoch_)) {
      record("validation_loss", score->loss);
      record("validation_accuracy", score->accuracy);
    }
  }

  void record(const std::string& name, double value) {
    const auto found = std::find_if(
        series_.begin(), series_.end(), [&](const wire::Series& s) { return s.name == name; });
    wire::Series& series =
        found == series_.end() ? series_.emplace_back(wire::Series{name, {}}) : *found;
    series.values.push_back(value);
  }

  Evaluations evaluations() const {
    return {log_.nfe() - log_.nfe_backward(), log_.nfe_backward(), log_.rejected()};
  }

  void report(wire::CellResult& result) const {
    const auto last = [&](const char* name) {
      for (const wire::Series& s : series_) {
        if (s.name == name) return s.values.back();
      }
      throw InternalError("a training has no series \"" + std::string(name) + "\"");
    };
    if (epoch_ > 0) {
      result.metrics.push_back({"train_loss", last("train_loss"), plan_.count});
      result.metrics.push_back({"train_accuracy", last("train_accuracy"), plan_.count});
      result.metrics.push_back({"epochs", static_cast<double>(epoch_), std::nullopt});
    }
    selection_.report(result);
    result.series = series_;
    result.counters = counters_;
    result.solve_stats = log_.rows();
  }

  // ---- snapshots ----

  // After a step, or between two epochs.
  void leave_snapshot() {
    if (!input_.snapshots) return;
    const SnapshotPlace& place = *input_.snapshots;
    const bool is_stopping = place.is_stopping && place.is_stopping();
    const double wait = step_ == 0 ? std::min(place.interval_s, kWorkPerSnapshot * snapshot_cost_s_)
                                   : place.interval_s;
    if (is_stopping || seconds_since(last_snapshot_) >= wait) snapshot();
    if (is_stopping) throw TrainingStopped();
  }

  void snapshot() {
    check_finite();  // nothing that has gone wrong is worth keeping
    const auto start = Clock::now();
    TrainingSnapshot snapshot;
    wire::CellResult partial;
    partial.series = series_;
    partial.counters = counters_;
    snapshot.state = {
        {"epoch", epoch_},
        {"step", step_},
        {"steps", steps_},
        {"loss", sums_.loss()},
        {"correct", sums_.correct()},
        {"seconds", seconds_},
        {"before_epoch", {before_epoch_.forward, before_epoch_.backward, before_epoch_.rejected}},
        {"partial", partial},
        {"log", log_.state()}};
    snapshot.add_part("network", selection_.tensors());
    snapshot.add_part("optimizer", optimizer_.state());
    selection_.save(snapshot);
    try {
      write_snapshot(*input_.snapshots, input_.device, snapshot);
    } catch (const DataError& error) {
      // The training itself is well; only going on after an interruption would lose more.
      std::fprintf(stderr, "warning: no snapshot of the training was left: %s\n", error.what());
    }
    snapshot_cost_s_ = seconds_since(start);
    last_snapshot_ = Clock::now();
  }

  void resume() {
    if (!input_.snapshots || options_.epochs == 0) return;
    const auto snapshot = read_snapshot(*input_.snapshots, input_.device);
    if (!snapshot) return;
    try {
      restore(*snapshot);
    } catch (const std::exception& error) {
      // The hash was right, so this is no damage: the file was not written by this program.
      throw DataError("the unfinished training in " + input_.snapshots->file.string() +
                      " does not fit its cell; remove the file: " + error.what());
    }
    std::fprintf(stderr,
                 "continuing an unfinished training in epoch %lld, step %lld of %lld\n",
                 static_cast<long long>(epoch_ + 1),
                 static_cast<long long>(step_ + 1),
                 static_cast<long long>(steps_));
  }

  void restore(const TrainingSnapshot& snapshot) {
    const json& state = snapshot.state;
    if (state.at("steps").get<std::int64_t>() != steps_) {
      throw DataError("its epochs have another number of steps");
    }
    assign(selection_.tensors(), values_for(selection_.tensors(), snapshot.part("network")));
    optimizer_.restore(snapshot.part("optimizer"));
    selection_.restore(snapshot);
    epoch_ = state.at("epoch").get<std::int64_t>();
    step_ = state.at("step").get<std::int64_t>();
    sums_ = EpochSums(
        input_.device, state.at("loss").get<double>(), state.at("correct").get<std::int64_t>());
    seconds_ = state.at("seconds").get<double>();
    const json& before = state.at("before_epoch");
    before_epoch_ = {before.at(0).get<std::int64_t>(),
                     before.at(1).get<std::int64_t>(),
                     before.at(2).get<std::int64_t>()};
    const auto partial = state.at("partial").get<wire::CellResult>();
    series_ = partial.series;
    counters_ = partial.counters;
    log_.restore(state.at("log"));
  }

  const TrainingInput& input_;
  const TrainingOptions& options_;
  const ProgressCallback& progress_;
  const BatchPlan plan_;
  const std::int64_t steps_;  // of an epoch

  SolveLog log_;
  wire::Counters counters_;
  Selection selection_;
  Optimizer optimizer_;
  NetworkStep network_;

  std::int64_t epoch_ = 0;  // the coming step
  std::int64_t step_ = 0;
  EpochSums sums_;
  double seconds_ = 0;  // of this epoch's steps
  Evaluations before_epoch_;
  std::vector<wire::Series> series_;
  std::string note_;

  Clock::time_point last_snapshot_;
  double snapshot_cost_s_ = 0;
};

}  // namespace

void train(const TrainingInput& input,
           const TrainingOptions& options,
           wire::CellResult& result,
           const ProgressCallback& progress) {
  check(input, options);
  Trainer(input, options, progress).run(result);
}

}  // namespace unmask::engine
