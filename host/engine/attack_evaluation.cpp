#include "engine/attack_evaluation.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <torch/types.h>

#include "engine/broken.hpp"
#include "engine/checks.hpp"
#include "engine/host_values.hpp"
#include "engine/judge.hpp"
#include "engine/series_book.hpp"
#include "engine/target.hpp"
#include "engine/threat_check.hpp"

namespace unmask::engine {
namespace {

nlohmann::json to_numbers(const wire::Counters& counters) {
  return {counters.forwards, counters.backwards, counters.nfe};
}

wire::Counters from_numbers(const nlohmann::json& numbers) {
  return {numbers.at(0).get<std::int64_t>(),
          numbers.at(1).get<std::int64_t>(),
          numbers.at(2).get<std::int64_t>()};
}

}  // namespace

class AttackEvaluation::Work {
 public:
  Work(const EvaluationInput& input, Attack& attack)
      : input_(input),
        attack_(attack),
        threat_{attack.norm(), input.epsilon, 0.0, 1.0},
        images_(all_images(input)),
        labels_(input.data.labels.to(input.device)),
        is_coupled_(is_attacked_batch_coupled(input)),
        judge_(input, images_, log_),
        target_(input.source ? input.source->model : input.model,
                input.source ? input.source->solver : input.solver,
                input.gradients,
                {.is_coupled = is_coupled_,
                 .is_stand_in = input.source.has_value(),
                 .network = input.source ? input.source->network : input.network},
                input.num_classes,
                log_),
        adversarial_(images_.clone()),
        queries_(static_cast<std::size_t>(size()), 0),
        passes_(static_cast<std::size_t>(size()), 0),
        is_undecided_(static_cast<std::size_t>(size()), false) {
    if (input.graphs) target_.record_passes(input.graphs);
  }

  std::int64_t size() const { return input_.data.size(); }
  std::int64_t done() const { return next_; }
  bool is_done() const { return clean_.defined() && next_ >= size(); }

  void step() {
    if (!clean_.defined()) {
      begin();
      return;
    }
    const std::int64_t last = std::min(size(), next_ + input_.method_batch);
    attack(samples_between(next_, last));
    next_ = last;
  }

  State state() const {
    State state;
    state.numbers = {{"next", next_},
                     {"queries", queries_},
                     {"passes", passes_},
                     {"undecided", is_undecided_},
                     {"is_deterministic", target_.is_deterministic()},
                     {"is_coupled", is_coupled_},
                     {"failure", failure_},
                     {"notes", notes_.state()},
                     {"gradients", gradients_.state()},
                     {"log", log_.state()},
                     {"counters", to_numbers(counters())},
                     {"found", found_}};
    state.tensors = {{"adversarial", adversarial_.to(at::kCPU).clone()}};
    if (clean_.defined()) state.tensors.push_back({"clean", clean_.to(at::kCPU).clone()});
    return state;
  }

  void restore(const State& state) {
    const nlohmann::json& numbers = state.numbers;
    numbers.at("next").get_to(next_);
    numbers.at("queries").get_to(queries_);
    numbers.at("passes").get_to(passes_);
    is_undecided_ = numbers.at("undecided").get<std::vector<bool>>();
    target_.set_deterministic(numbers.at("is_deterministic").get<bool>());
    if (numbers.at("is_coupled").get<bool>()) couple();
    numbers.at("failure").get_to(failure_);
    notes_.restore(numbers.at("notes"));
    gradients_.restore(numbers.at("gradients"));
    log_.restore(numbers.at("log"));
    earlier_ = from_numbers(numbers.at("counters"));
    numbers.at("found").get_to(found_);
    clean_ = Tensor();
    for (const NamedTensor& item : state.tensors) {
      const Tensor value = item.tensor.to(input_.device);
      if (item.name == "adversarial") adversarial_ = value.clone();
      if (item.name == "clean") clean_ = value.clone();
    }
  }

  Tensor finish(wire::CellResult& result) {
    const Tensor is_allowed = within_threat(adversarial_, images_, threat_);
    const Tensor keep =
        is_allowed.logical_and(is_correct()).logical_and(decided()).view({-1, 1, 1, 1});
    const Tensor judged = at::where(keep, adversarial_, images_);
    const Tensor predictions = judge_.predictions(judged, clean_);
    add_outcomes(judged, predictions, result);
    result.norm = name_of(threat_.norm);
    result.metrics.push_back({"threat_violations",
                              static_cast<double>(size() - is_allowed.sum().item<std::int64_t>()),
                              size()});
    result.metrics.push_back(
        {"batch_coupled", is_coupled_ || judge_.is_coupled() ? 1.0 : 0.0, std::nullopt});
    for (const wire::Metric& check : found_.metrics) result.metrics.push_back(check);
    if (input_.has_checks) gradients_.finish(result);
    notes_.finish(result);
    result.sample_metrics = found_.sample_metrics;
    result.series = found_.series;
    result.solve_stats = log_.rows();
    result.counters += counters();
    return judged;
  }

 private:
  // ---- before the first batch ----

  void begin() {
    clean_ = judge_.predictions(images_);
    failure_ = judge_.failure();
    if (clean_.lt(0).all().item<bool>()) throw NumericError(failure_);
    if (input_.has_checks) check();
  }

  void check() {
    NetworkTarget checked(input_.model,
                          input_.solver,
                          {},
                          {.is_coupled = is_coupled_, .network = input_.network},
                          input_.num_classes,
                          log_,
                          {"check", "check"});
    seed_generators(input_, "check", 0);
    const AnswerCheck answers =
        check_answers(checked, images_.narrow(0, 0, std::min(input_.batch_size, size())));
    found_.metrics = answers.metrics;
    // They tell nothing of a source.
    if (!input_.source) {
      target_.set_deterministic(answers.is_deterministic);
      // A network from elsewhere may couple its batches without a solver that does.
      if (answers.is_batch_coupled) couple();
    }
    earlier_ += checked.counters();
  }

  void couple() {
    is_coupled_ = true;
    target_.set_coupled();
  }

  // ---- a batch ----

  // A batch-coupled target is a function of whole batches: all rows go in. Otherwise only the
  // samples that there is something to fool about.
  std::vector<std::int64_t> samples_between(std::int64_t first, std::int64_t last) const {
    if (!is_coupled_) {
      const Tensor correct = is_correct().narrow(0, first, last - first);
      return to_vector(correct.nonzero().squeeze(1) + first);
    }
    std::vector<std::int64_t> samples(static_cast<std::size_t>(last - first));
    std::iota(samples.begin(), samples.end(), first);
    return samples;
  }

  // A sample that a solve fails on is looked for in ever smaller parts of its batch.
  void attack(const std::vector<std::int64_t>& samples) {
    if (samples.empty()) return;
    try {
      attack_together(samples);
      return;
    } catch (const BrokenNetwork&) {
      throw;
    } catch (const BrokenAttack&) {
      throw;
    } catch (const NumericError& error) {
      if (failure_.empty()) failure_ = error.what();
    }
    if (is_coupled_ || samples.size() == 1) {
      for (const std::int64_t sample : samples) {
        is_undecided_[static_cast<std::size_t>(sample)] = true;
      }
      return;
    }
    const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
    attack({samples.begin(), middle});
    attack({middle, samples.end()});
  }

  void attack_together(const std::vector<std::int64_t>& samples) {
    const Tensor index = torch::tensor(samples, torch::kLong).to(images_.device());
    const Tensor batch = images_.index_select(0, index);
    AttackContext context{SampleRandom(derive_seed(input_.seed, "attack"), samples)};
    seed_generators(input_, "network", samples.front());
    target_.begin_batch(batch);
    target_.gradient_check().begin(batch);
    const Tensor points =
        attack_.perturb(target_, batch, labels_.index_select(0, index), threat_, context).detach();
    expect_same_kind(points, batch);
    const Tensor is_attacked = is_correct().index_select(0, index);
    notes_.add(context.notes, samples, to_flags(is_attacked), found_);
    add_series(context.series, samples, found_);
    gradients_.add(target_.gradient_check(), is_attacked);
    adversarial_.index_copy_(0, index, points);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      queries_[static_cast<std::size_t>(samples[i])] = target_.queries()[i];
      passes_[static_cast<std::size_t>(samples[i])] = target_.passes()[i];
    }
  }

  // ---- the verdict ----

  Tensor is_correct() const { return clean_.eq(labels_); }

  Tensor decided() const {
    const std::vector<std::int64_t> undecided(is_undecided_.begin(), is_undecided_.end());
    return torch::tensor(undecided, torch::kLong).to(images_.device()).eq(0);
  }

  void add_outcomes(const Tensor& judged, const Tensor& predicted, wire::CellResult& result) const {
    const auto labels = to_vector(labels_);
    const auto clean = to_vector(clean_);
    const auto predictions = to_vector(predicted);
    const auto distances =
        to_doubles(distance(judged.to(at::kDouble), images_.to(at::kDouble), threat_.norm));
    std::int64_t correct = 0;
    std::int64_t robust = 0;
    std::int64_t undecided = 0;
    std::int64_t attacked_in_vain = 0;  // correct, and undecided all the same
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const bool is_decided = !is_undecided_[i] && clean[i] >= 0 && predictions[i] >= 0;
      result.outcomes.push_back({static_cast<std::int64_t>(i),
                                 labels[i],
                                 clean[i],
                                 is_undecided_[i] ? -1 : predictions[i],
                                 distances[i],
                                 queries_[i],
                                 passes_[i],
                                 is_decided});
      if (!is_decided) ++undecided;
      if (clean[i] != labels[i]) continue;
      ++correct;
      if (!is_decided) ++attacked_in_vain;
      if (is_decided && predictions[i] == labels[i]) ++robust;
    }
    if (correct > 0 && attacked_in_vain == correct) {
      throw NumericError(failure_.empty() ? judge_.failure() : failure_);
    }
    const auto share = [&](std::int64_t count) {
      return static_cast<double>(count) / static_cast<double>(size());
    };
    result.metrics.push_back({"clean_accuracy", share(correct), size()});
    result.metrics.push_back({"robust_accuracy", share(robust), size()});
    result.metrics.push_back({"undecided", static_cast<double>(undecided), size()});
    if (undecided > 0) {
      result.remarks.push_back(
          std::to_string(undecided) + " of " + std::to_string(size()) +
          (undecided == 1 ? " samples is" : " samples are") +
          " undecided, since a solve failed: " + (failure_.empty() ? judge_.failure() : failure_));
    }
  }

  wire::Counters counters() const {
    wire::Counters sum = earlier_;
    sum += judge_.counters();
    sum += target_.counters();
    return sum;
  }

  const EvaluationInput& input_;
  Attack& attack_;
  Threat threat_;
  Tensor images_;
  Tensor labels_;
  bool is_coupled_;  // samples depend on their batch-mates where they are attacked
  SolveLog log_;
  Judge judge_;
  NetworkTarget target_;

  std::int64_t next_ = 0;  // the coming sample
  Tensor clean_;           // predictions; undefined before the first step
  Tensor adversarial_;
  std::vector<std::int64_t> queries_;
  std::vector<std::int64_t> passes_;
  std::vector<bool> is_undecided_;  // under the attack
  std::string failure_;             // the first one
  NoteBook notes_;
  GradientShares gradients_;
  wire::CellResult found_;  // checks, values of samples and series so far
  wire::Counters earlier_;  // of checks, and of what was done before a restore()
};

AttackEvaluation::AttackEvaluation(const EvaluationInput& input, Attack& attack)
    : work_(std::make_unique<Work>(input, attack)) {}
AttackEvaluation::~AttackEvaluation() = default;

bool AttackEvaluation::is_done() const {
  return work_->is_done();
}

std::int64_t AttackEvaluation::done() const {
  return work_->done();
}

void AttackEvaluation::step() {
  work_->step();
}

AttackEvaluation::State AttackEvaluation::state() const {
  return work_->state();
}

void AttackEvaluation::restore(const State& state) {
  work_->restore(state);
}

Tensor AttackEvaluation::finish(wire::CellResult& result) {
  UNMASK_CHECK(is_done(), "an attack is judged when every batch has been attacked");
  return work_->finish(result);
}

Tensor evaluate_attack(const EvaluationInput& input,
                       Attack& attack,
                       wire::CellResult& result,
                       const ProgressCallback& progress) {
  AttackEvaluation evaluation(input, attack);
  while (!evaluation.is_done()) {
    evaluation.step();
    if (evaluation.done() > 0) progress(evaluation.done(), input.data.size(), "");
  }
  return evaluation.finish(result);
}

}  // namespace unmask::engine
