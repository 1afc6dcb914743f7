#include "engine/training_selection.hpp"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

#include "engine/epoch_sums.hpp"
#include "engine/model_state.hpp"
#include "engine/tensor_lists.hpp"
#include "unmask/errors.hpp"
#include "unmask/random.hpp"

namespace unmask::engine {
namespace {

using nlohmann::json;

json numbers_of_score(const Score& score) {
  return {{"loss", score.loss}, {"accuracy", score.accuracy}};
}

Score score_of_numbers(const json& score) {
  return {score.at("loss").get<double>(), score.at("accuracy").get<double>()};
}

}  // namespace

Selection::Selection(const TrainingInput& input,
                     const TrainingOptions& options,
                     const BatchPlan& plan,
                     SolveLog& log,
                     wire::Counters& counters)
    : input_(input),
      options_(options),
      plan_(plan),
      log_(log),
      counters_(counters),
      tensors_(all_tensors(input.model)),
      average_(options, tensors_),
      session_(input.solver.method, input.solver.options) {}

std::optional<Score> Selection::after_epoch(std::int64_t epoch) {
  average_.after_epoch(epoch - 1);
  if (options_.validation == 0) return std::nullopt;
  std::vector<Tensor> own;
  if (average_.has_value()) {
    own = copies(tensors_);
    use_average();
  }
  const Score score = score_of_validation(epoch);
  if (best_.epoch == 0 || score.accuracy > best_.score.accuracy) {
    best_.epoch = epoch;
    best_.score = score;
    if (options_.keep_best) best_.values = copies(tensors_);
  }
  last_score_ = score;
  assign(tensors_, own);
  return score;
}

bool Selection::is_patient(std::int64_t epoch) const {
  return options_.patience == 0 || epoch - best_.epoch < options_.patience;
}

void Selection::use_average() {
  assign(tensors_, average_.values());
  if (options_.averaging == AveragingKind::kSwa) refresh_statistics();
}

// The mean of weights along a path has other activations than the networks on it, so running
// statistics are estimated anew: one pass over the training samples in training mode. The batches
// are those of the epoch after the last one, whichever epoch it is now.
void Selection::refresh_statistics() {
  if (input_.model.buffers().empty()) return;
  const at::NoGradGuard no_grad;
  input_.model.set_training(true);
  BatchStream batches(input_.data, plan_, options_.epochs + 1, options_.epochs, 0);
  for (std::int64_t step = 0; step < plan_.steps(); ++step) {
    torch::manual_seed(derive_seed(input_.seed, "statistics", static_cast<std::uint64_t>(step)));
    forward(batches.next().x, "statistics");
  }
}

Score Selection::score_of_validation(std::int64_t epoch) {
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
    throw NumericError("the validation loss is not finite after epoch " + std::to_string(epoch) +
                       "; a smaller learning_rate may help");
  }
  const auto count = static_cast<double>(options_.validation);
  return {sums.loss() / count, static_cast<double>(sums.correct()) / count};
}

Tensor Selection::forward(const Tensor& x, const std::string& phase) {
  const std::int64_t before = log_.nfe();
  Tensor logits = input_.model.forward(x, session_);
  log_.take(phase, session_);
  counters_.forwards += x.size(0);
  counters_.nfe += log_.nfe() - before;
  return logits;
}

void Selection::keep() {
  if (options_.keep_best && best_.epoch > 0) {
    assign(tensors_, best_.values);
  } else if (average_.has_value()) {
    use_average();
  }
  input_.model.set_training(false);
  set_trainable(input_.model, false);
}

void Selection::report(wire::CellResult& result) const {
  if (best_.epoch == 0) return;
  const Score& score = options_.keep_best ? best_.score : last_score_;
  result.metrics.push_back({"validation_loss", score.loss, options_.validation});
  result.metrics.push_back({"validation_accuracy", score.accuracy, options_.validation});
  result.metrics.push_back({"best_epoch", static_cast<double>(best_.epoch), std::nullopt});
}

void Selection::save(TrainingSnapshot& snapshot) const {
  snapshot.state["averaged"] = average_.count();
  snapshot.state["best_epoch"] = best_.epoch;
  snapshot.state["best"] = numbers_of_score(best_.score);
  snapshot.state["last"] = numbers_of_score(last_score_);
  snapshot.add_part("average", named_like(tensors_, average_.values()));
  snapshot.add_part("best", named_like(tensors_, best_.values));
}

void Selection::restore(const TrainingSnapshot& snapshot) {
  const json& state = snapshot.state;
  const auto average = snapshot.part("average");
  average_.restore(state.at("averaged").get<std::int64_t>(),
                   average.empty() ? std::vector<Tensor>() : values_for(tensors_, average));
  best_.epoch = state.at("best_epoch").get<std::int64_t>();
  best_.score = score_of_numbers(state.at("best"));
  last_score_ = score_of_numbers(state.at("last"));
  const auto best = snapshot.part("best");
  if (!best.empty()) best_.values = values_for(tensors_, best);
}

}  // namespace unmask::engine
