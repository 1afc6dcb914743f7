#include "engine/training.hpp"

#include <cmath>
#include <cstdio>
#include <numbers>
#include <optional>

#include <torch/optim/sgd.h>
#include <torch/types.h>

#include "engine/target.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

// The network in the middle of a step. Inner attacks of an objective see it through target().
class NetworkStep final : public TrainingStep {
 public:
  NetworkStep(const TrainingInput& input, SolveLog& log)
      : input_(input), log_(log), session_(input.solver.method, input.solver.options) {}

  void begin(SampleRandom random) { random_.emplace(std::move(random)); }

  Tensor logits(const Tensor& x) override {
    input_.model.set_training(true);
    set_trainable(input_.model, true);
    const std::int64_t before = log_.nfe();
    last_logits_ = input_.model.forward(x, session_);
    log_.take("train", session_);
    counters_.forwards += x.size(0);
    counters_.nfe += log_.nfe() - before;
    return last_logits_;
  }

  /// Count what the backward pass has evaluated.
  void settle_backward() {
    const std::int64_t before = log_.nfe();
    log_.settle_backward();
    counters_.nfe += log_.nfe() - before;
  }

  Target& target() override {
    target_.emplace(input_.model,
                    input_.solver,
                    std::nullopt,
                    input_.solver.couples_batch(),
                    input_.num_classes,
                    log_,
                    TargetPhases{"inner_attack", "inner_attack"});
    return *target_;
  }

  SampleRandom& random() override { return *random_; }

  const Tensor& last_logits() const { return last_logits_; }
  const plan::Counters& counters() const { return counters_; }

 private:
  const TrainingInput& input_;
  SolveLog& log_;
  ode::Session session_;
  std::optional<SampleRandom> random_;
  std::optional<NetworkTarget> target_;
  Tensor last_logits_;
  plan::Counters counters_;
};

std::string loss_note(double loss, double accuracy) {
  char text[64];
  std::snprintf(text, sizeof text, "loss %.3f, accuracy %.1f %%", loss, 100 * accuracy);
  return text;
}

}  // namespace

TrainingOptions TrainingOptions::from(const Params& params) {
  TrainingOptions options;
  options.epochs = params.get_integer("epochs");
  options.batch_size = params.get_integer("batch_size");
  options.learning_rate = params.get_real("learning_rate");
  options.momentum = params.get_real("momentum");
  options.weight_decay = params.get_real("weight_decay");
  options.schedule = params.get_text("schedule");
  options.milestones = params.get_integers("milestones");
  options.factors = params.get_reals("factors");
  options.crop_padding = params.get_integer("crop_padding");
  options.horizontal_flip = params.get_boolean("horizontal_flip");
  if (options.factors.size() != 1 && options.factors.size() != options.milestones.size()) {
    throw ParamError("parameter \"factors\" must have one entry, or one per milestone");
  }
  return options;
}

double learning_rate_at(const TrainingOptions& options, std::int64_t step, std::int64_t steps) {
  double rate = options.learning_rate;
  if (options.schedule == "cosine") {
    const auto total = static_cast<double>(options.epochs * steps);
    rate *= 0.5 * (1.0 + std::cos(std::numbers::pi * static_cast<double>(step) / total));
  } else if (options.schedule == "step") {
    const std::int64_t epoch = step / steps;
    for (std::size_t i = 0; i < options.milestones.size(); ++i) {
      if (epoch < options.milestones[i]) continue;
      rate *= options.factors.size() == 1 ? options.factors[0] : options.factors[i];
    }
  }
  return rate;
}

void train(const TrainingInput& input,
           const TrainingOptions& options,
           plan::CellResult& result,
           const ProgressCallback& progress) {
  if (input.solver.options.is_adaptive &&
      input.solver.options.controller == ode::ControllerKind::kReplay) {
    throw ParamError(
        "controller \"replay\" follows the steps of a clean batch, which a training step does not "
        "have; use it for the gradient of an attack");
  }
  std::vector<Tensor> weights;
  for (const NamedTensor& parameter : input.model.parameters()) weights.push_back(parameter.tensor);
  torch::optim::SGD optimizer(weights,
                              torch::optim::SGDOptions(options.learning_rate)
                                  .momentum(options.momentum)
                                  .weight_decay(options.weight_decay));
  const std::int64_t n = input.data.size();
  if (n == 0) throw DataError("the training split is empty");
  const std::int64_t steps = (n + options.batch_size - 1) / options.batch_size;

  SolveLog log;
  NetworkStep step(input, log);
  plan::Series losses{"train_loss", {}};
  plan::Series accuracies{"train_accuracy", {}};
  plan::Series rates{"learning_rate", {}};

  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    const auto number = static_cast<std::uint64_t>(epoch);
    const auto order = permutation(n, derive_seed(input.seed, "order", number));
    double loss_sum = 0;
    std::int64_t correct = 0;
    for (std::int64_t s = 0; s < steps; ++s) {
      const std::int64_t first = s * options.batch_size;
      const std::int64_t last = std::min(n, first + options.batch_size);
      const std::vector<std::int64_t> samples(order.begin() + first, order.begin() + last);
      const Tensor x = augment(gather_images(input.data, samples, input.dtype),
                               samples,
                               options.crop_padding,
                               options.horizontal_flip,
                               derive_seed(input.seed, "augment", number))
                           .to(input.device);
      const Tensor y = gather_labels(input.data, samples).to(input.device);
      const double rate = learning_rate_at(options, epoch * steps + s, steps);
      for (auto& group : optimizer.param_groups()) {
        static_cast<torch::optim::SGDOptions&>(group.options()).lr(rate);
      }

      step.begin(SampleRandom(derive_seed(input.seed, "objective", number), samples));
      const Tensor loss = input.objective.loss(step, x, y);
      const double loss_value = loss.item<double>();
      if (!std::isfinite(loss_value)) {
        throw NumericError("the training loss is not finite in epoch " + std::to_string(epoch + 1) +
                           ", step " + std::to_string(s + 1) + " of " + std::to_string(steps) +
                           "; a smaller learning_rate may help");
      }
      optimizer.zero_grad();
      loss.backward();
      step.settle_backward();
      optimizer.step();

      loss_sum += loss_value * static_cast<double>(last - first);
      correct += step.last_logits().detach().argmax(1).eq(y).sum().item<std::int64_t>();
      if (s == 0) rates.values.push_back(rate);
      const std::int64_t done = epoch * steps + s + 1;
      progress(done,
               options.epochs * steps,
               loss_note(loss_sum / static_cast<double>(last),
                         static_cast<double>(correct) / static_cast<double>(last)));
    }
    losses.values.push_back(loss_sum / static_cast<double>(n));
    accuracies.values.push_back(static_cast<double>(correct) / static_cast<double>(n));
  }
  input.model.set_training(false);
  set_trainable(input.model, false);

  if (!losses.values.empty()) {
    result.metrics.push_back({"train_loss", losses.values.back(), n});
    result.metrics.push_back({"train_accuracy", accuracies.values.back(), n});
  }
  result.series = {losses, accuracies, rates};
  result.counters = step.counters();
  result.counters.backwards = result.counters.forwards;
  result.solve_stats = log.rows();
}

}  // namespace unmask::engine
