#include "engine/training.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <utility>

#include <torch/types.h>
#include <torch/utils.h>

#include "engine/averaging.hpp"
#include "engine/batches.hpp"
#include "engine/epoch_sums.hpp"
#include "engine/learning_rate.hpp"
#include "engine/mixed_precision.hpp"
#include "engine/optimizer.hpp"
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

// What the network answers on the samples held out.
struct Score {
  double loss = 0;
  double accuracy = 0;
};

// The network of the epoch with the highest validation accuracy.
struct Best {
  std::int64_t epoch = 0;  // from 1; 0: none yet
  Score score;
  std::vector<Tensor> values;  // of the network; only when it is to be kept
};

// Counts of the solve log.
struct Evaluations {
  std::int64_t forward = 0;
  std::int64_t backward = 0;
  std::int64_t rejected = 0;
};

std::vector<NamedTensor> all_tensors(Model& model) {
  std::vector<NamedTensor> tensors = model.parameters();
  for (NamedTensor& buffer : model.buffers()) tensors.push_back(std::move(buffer));
  return tensors;
}

std::vector<Tensor> copies(const std::vector<NamedTensor>& tensors) {
  std::vector<Tensor> result;
  for (const NamedTensor& item : tensors) result.push_back(item.tensor.detach().clone());
  return result;
}

std::vector<NamedTensor> named_like(const std::vector<NamedTensor>& names,
                                    const std::vector<Tensor>& values) {
  std::vector<NamedTensor> result;
  for (std::size_t i = 0; i < values.size(); ++i) result.push_back({names[i].name, values[i]});
  return result;
}

// The values of a snapshot's part for each of these tensors, where they are.
std::vector<Tensor> values_for(const std::vector<NamedTensor>& tensors,
                               const std::vector<NamedTensor>& part) {
  if (part.size() != tensors.size()) throw DataError("it holds other tensors than the network");
  std::vector<Tensor> values;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& own = tensors[i].tensor;
    const Tensor& value = part[i].tensor;
    if (part[i].name != tensors[i].name || value.sizes() != own.sizes() ||
        value.scalar_type() != own.scalar_type()) {
      throw DataError("its tensor \"" + part[i].name + "\" is not the network's");
    }
    values.push_back(value.to(own.device()));
  }
  return values;
}

void assign(const std::vector<NamedTensor>& tensors, const std::vector<Tensor>& values) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < values.size(); ++i) tensors[i].tensor.detach().copy_(values[i]);
}

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
                     " leaves nothing to train on: the training split has " + std::to_string(n) +
                     " samples");
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
        tensors_(all_tensors(input.model)),
        optimizer_(options, input.model.parameters()),
        average_(options, tensors_),
        network_(
            input.model, input.solver, input.num_classes, options.mixed_precision, log_, counters_),
        session_(input.solver.method, input.solver.options),
        sums_(input.device, 0, 0),
        last_snapshot_(Clock::now()) {}

  void run(wire::CellResult& result) {
    resume();
    if (!is_finished()) {
      BatchStream batches(input_.data, plan_, options_.epochs, epoch_, step_);
      while (!is_finished()) run_epoch(batches);
    }
    keep();
    report(result);
  }

 private:
  // ---- epochs and steps ----

  bool is_finished() const {
    const bool is_patient = options_.patience == 0 || epoch_ - best_.epoch < options_.patience;
    return epoch_ >= options_.epochs || !is_patient;
  }

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
    average_.after_step(epoch_);
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
    }
    if (!network_.last_logits().defined() || network_.last_logits().size(0) < batch.y.size(0)) {
      throw NumericError("the objective did not compute the logits of its batch");
    }
    return loss;
  }

  bool is_read_due() const {
    return input_.device == "cpu" || step_ + 1 == steps_ || (step_ + 1) % kStepsPerRead == 0;
  }

  void check_finite() const {
    const std::int64_t bad = sums_.bad_step();
    if (bad < 0) return;
    throw NumericError("the training loss is not finite in epoch " + std::to_string(epoch_ + 1) +
                       ", step " + std::to_string(bad + 1) + " of " + std::to_string(steps_) +
                       "; a smaller learning_rate may help");
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
    average_.after_epoch(epoch_);
    ++epoch_;
    step_ = 0;
    if (options_.validation > 0) validate();
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

  // ---- the network that becomes the checkpoint ----

  // Judge the network that would be the checkpoint if the training ended with this epoch.
  void validate() {
    std::vector<Tensor> own;
    if (average_.has_value()) {
      own = copies(tensors_);
      use_average();
    }
    const Score score = score_of_validation();
    record("validation_loss", score.loss);
    record("validation_accuracy", score.accuracy);
    if (best_.epoch == 0 || score.accuracy > best_.score.accuracy) {
      best_.epoch = epoch_;
      best_.score = score;
      if (options_.keep_best) best_.values = copies(tensors_);
    }
    last_score_ = score;
    assign(tensors_, own);
  }

  void use_average() {
    assign(tensors_, average_.values());
    if (options_.averaging == AveragingKind::kSwa) refresh_statistics();
  }

  // The mean of weights along a path has other activations than the networks on it, so running
  // statistics are estimated anew: one pass over the training samples in training mode. The batches
  // are those of the epoch after the last one, whichever epoch it is now.
  void refresh_statistics() {
    if (input_.model.buffers().empty()) return;
    const at::NoGradGuard no_grad;
    input_.model.set_training(true);
    BatchStream batches(input_.data, plan_, options_.epochs + 1, options_.epochs, 0);
    for (std::int64_t step = 0; step < steps_; ++step) {
      torch::manual_seed(derive_seed(input_.seed, "statistics", static_cast<std::uint64_t>(step)));
      forward(batches.next().x, "statistics");
    }
  }

  Score score_of_validation() {
    const at::NoGradGuard no_grad;
    input_.model.set_training(false);
    EpochSums sums(input_.device, 0, 0);
    const std::int64_t n = input_.data.size();
    for (std::int64_t first = plan_.count; first < n; first += plan_.batch_size) {
      std::vector<std::int64_t> samples;
      for (std::int64_t i = first; i < std::min(n, first + plan_.batch_size); ++i) {
        samples.push_back(i);
      }
      const Tensor x = gather_images(input_.data, samples, input_.dtype).to(input_.device);
      const Tensor y = gather_labels(input_.data, samples).to(input_.device);
      const Tensor logits = forward(x, "validation");
      sums.add(at::nll_loss(at::log_softmax(logits, 1), y), logits, y, first);
    }
    if (sums.bad_step() >= 0) {
      throw NumericError("the validation loss is not finite after epoch " + std::to_string(epoch_) +
                         "; a smaller learning_rate may help");
    }
    const auto count = static_cast<double>(options_.validation);
    return {sums.loss() / count, static_cast<double>(sums.correct()) / count};
  }

  Tensor forward(const Tensor& x, const std::string& phase) {
    const std::int64_t before = log_.nfe();
    Tensor logits = input_.model.forward(x, session_);
    log_.take(phase, session_);
    counters_.forwards += x.size(0);
    counters_.nfe += log_.nfe() - before;
    return logits;
  }

  void keep() {
    if (options_.keep_best && best_.epoch > 0) {
      assign(tensors_, best_.values);
    } else if (average_.has_value()) {
      use_average();
    }
    input_.model.set_training(false);
    set_trainable(input_.model, false);
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
    if (best_.epoch > 0) {
      const Score& score = options_.keep_best ? best_.score : last_score_;
      result.metrics.push_back({"validation_loss", score.loss, options_.validation});
      result.metrics.push_back({"validation_accuracy", score.accuracy, options_.validation});
      result.metrics.push_back({"best_epoch", static_cast<double>(best_.epoch), std::nullopt});
    }
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
    const auto score = [](const Score& s) {
      return json{{"loss", s.loss}, {"accuracy", s.accuracy}};
    };
    snapshot.state = {
        {"epoch", epoch_},
        {"step", step_},
        {"steps", steps_},
        {"loss", sums_.loss()},
        {"correct", sums_.correct()},
        {"seconds", seconds_},
        {"before_epoch", {before_epoch_.forward, before_epoch_.backward, before_epoch_.rejected}},
        {"partial", partial},
        {"log", log_.state()},
        {"averaged", average_.count()},
        {"best_epoch", best_.epoch},
        {"best", score(best_.score)},
        {"last", score(last_score_)}};
    snapshot.add_part("network", tensors_);
    snapshot.add_part("optimizer", optimizer_.state());
    snapshot.add_part("average", named_like(tensors_, average_.values()));
    snapshot.add_part("best", named_like(tensors_, best_.values));
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
    assign(tensors_, values_for(tensors_, snapshot.part("network")));
    optimizer_.restore(snapshot.part("optimizer"));
    const auto average = snapshot.part("average");
    average_.restore(state.at("averaged").get<std::int64_t>(),
                     average.empty() ? std::vector<Tensor>() : values_for(tensors_, average));
    const auto score = [](const json& s) {
      return Score{s.at("loss").get<double>(), s.at("accuracy").get<double>()};
    };
    best_.epoch = state.at("best_epoch").get<std::int64_t>();
    best_.score = score(state.at("best"));
    last_score_ = score(state.at("last"));
    const auto best = snapshot.part("best");
    if (!best.empty()) best_.values = values_for(tensors_, best);

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
  const std::vector<NamedTensor> tensors_;

  SolveLog log_;
  wire::Counters counters_;
  Optimizer optimizer_;
  WeightAverage average_;
  NetworkStep network_;
  ode::Session session_;  // of passes that are no training steps

  std::int64_t epoch_ = 0;  // the coming step
  std::int64_t step_ = 0;
  EpochSums sums_;
  double seconds_ = 0;  // of this epoch's steps
  Evaluations before_epoch_;
  std::vector<wire::Series> series_;
  Score last_score_;
  Best best_;
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
