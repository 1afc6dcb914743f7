#include "engine/attack_evaluation.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "engine/broken.hpp"
#include "engine/checks.hpp"
#include "engine/host_values.hpp"
#include "engine/judge.hpp"
#include "engine/series_book.hpp"
#include "engine/target.hpp"
#include "engine/threat_check.hpp"

namespace unmask::engine {

class AttackEvaluation::Work {
 public:
  Work(const EvaluationInput& input, Attack& attack, std::int64_t first)
      : input_(input),
        attack_(attack),
        threat_{attack.norm(), input.epsilon, 0.0, 1.0},
        is_coupled_(is_attacked_batch_coupled(input)),
        judge_(input, log_),
        target_(input.source ? input.source->model : input.model,
                input.source ? input.source->solver : input.solver,
                input.gradients,
                {.is_coupled = is_coupled_,
                 .is_stand_in = input.source.has_value(),
                 .network = input.source ? input.source->network : input.network},
                input.num_classes,
                log_),
        next_(first) {
    if (input.graphs) target_.record_passes(input.graphs);
    part_.kind = wire::CellKind::kAttack;
    part_.span.first = first;
    part_.total = input.data.size();
    part_.unit = unit_of(input);
    part_.has_checks = input.has_checks;
    part_.found.norm = name_of(threat_.norm);
  }

  bool is_done() const { return next_ >= part_.total; }
  std::int64_t next() const { return next_; }
  std::int64_t total() const { return part_.total; }

  void step(const ProgressCallback& progress) {
    const wire::PartSpan unit = unit_at(input_, next_);
    begin(unit);
    if (input_.has_checks && !is_checked_) check();
    is_checked_ = true;
    for (std::int64_t at = 0; at < unit.count; at += input_.method_batch) {
      const std::int64_t end = std::min(unit.count, at + input_.method_batch);
      attack(rows_between(at, end));
      progress(unit.first + end, part_.total, "");
    }
    settle(wire::Stage::kMethod);
    judge();
    settle(wire::Stage::kVerdict);
    next_ = unit.last();
  }

  wire::CellPart part() const {
    wire::CellPart part = part_;
    part.span.count = next_ - part.span.first;
    part.is_coupled = is_coupled_ || judge_.is_coupled();
    part.found.counters += judge_.counters();
    part.found.counters += target_.counters();
    return part;
  }

  void keep_judged() { keeps_judged_ = true; }
  Tensor judged() const { return at::cat(judged_); }

 private:
  // ---- before the first batch ----

  void begin(const wire::PartSpan& unit) {
    first_ = unit.first;
    images_ = images_of(input_, unit);
    labels_ = input_.data.labels.narrow(0, unit.first, unit.count).to(input_.device);
    adversarial_ = images_.clone();
    const auto count = static_cast<std::size_t>(unit.count);
    queries_.assign(count, 0);
    passes_.assign(count, 0);
    is_undecided_.assign(count, false);
    judge_.begin(images_, first_);
    clean_ = judge_.predictions(images_);
    note_failure(wire::Stage::kClean, judge_.take_failure());
    settle(wire::Stage::kClean);
  }

  // What was solved since the last time belongs to a stage.
  void settle(wire::Stage stage) {
    const SolveLog seen = std::exchange(log_, SolveLog());
    wire::add_tallies(part_.solves[static_cast<std::size_t>(stage)], seen.tallies());
  }

  void note_failure(wire::Stage stage, const std::string& failure) {
    std::string& known = part_.failures[static_cast<std::size_t>(stage)];
    if (known.empty()) known = failure;
  }

  // Every part needs to know what is found here; the first one takes it down and counts it.
  void check() {
    SolveLog unseen;
    const bool is_first_part = part_.span.first == 0;
    NetworkTarget checked(input_.model,
                          input_.solver,
                          {},
                          {.is_coupled = is_coupled_, .network = input_.network},
                          input_.num_classes,
                          is_first_part ? log_ : unseen,
                          {"check", "check"});
    begin_passes(input_, "check", 0);
    const AnswerCheck answers = check_answers(
        checked, images_of(input_, {0, std::min(input_.batch_size, input_.data.size())}));
    // They tell nothing of a source.
    if (!input_.source) {
      target_.set_deterministic(answers.is_deterministic);
      // A network from elsewhere may couple its batches without a solver that does.
      if (answers.is_batch_coupled) couple();
    }
    if (!is_first_part) return;
    part_.found.metrics = answers.metrics;
    note_writes();
    part_.found.counters += checked.counters();
  }

  void note_writes() {
    if (input_.state == nullptr) return;
    input_.state->restore();
    const std::size_t written = input_.state->written().size();
    if (written == 0) return;
    part_.found.metrics.push_back({"check.changes_itself",
                                   static_cast<double>(written),
                                   std::min(input_.batch_size, input_.data.size()),
                                   ""});
  }

  void couple() {
    is_coupled_ = true;
    target_.set_coupled();
  }

  // ---- a batch; rows are counted within the unit ----

  // A batch-coupled target is a function of whole batches: all rows go in. Otherwise only the
  // samples that there is something to fool about.
  std::vector<std::int64_t> rows_between(std::int64_t first, std::int64_t last) const {
    if (is_coupled_) return samples_of({first, last - first});
    const Tensor correct = is_correct().narrow(0, first, last - first);
    return to_vector(correct.nonzero().squeeze(1) + first);
  }

  // A sample that a solve fails on is looked for in ever smaller parts of its batch.
  void attack(const std::vector<std::int64_t>& rows) {
    if (rows.empty()) return;
    try {
      attack_together(rows);
      return;
    } catch (const BrokenNetwork&) {
      throw;
    } catch (const BrokenAttack&) {
      throw;
    } catch (const NumericError& error) {
      note_failure(wire::Stage::kMethod, error.what());
    }
    if (is_coupled_ || rows.size() == 1) {
      for (const std::int64_t row : rows) is_undecided_[static_cast<std::size_t>(row)] = true;
      return;
    }
    const auto middle = rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2);
    attack({rows.begin(), middle});
    attack({middle, rows.end()});
  }

  void attack_together(const std::vector<std::int64_t>& rows) {
    std::vector<std::int64_t> samples = rows;
    for (std::int64_t& sample : samples) sample += first_;
    const Tensor index = torch::tensor(rows, torch::kLong).to(images_.device());
    const Tensor batch = images_.index_select(0, index);
    AttackContext context{SampleRandom(derive_seed(input_.seed, "attack"), samples)};
    begin_passes(input_, "network", samples.front());
    target_.begin_batch(batch);
    target_.gradient_check().begin(batch);
    const Tensor points =
        attack_.perturb(target_, batch, labels_.index_select(0, index), threat_, context).detach();
    expect_same_kind(points, batch);
    add_notes(context.notes, samples, part_.found);
    add_series(context.series, samples, part_.found);
    add_gradients(target_.gradient_check(), is_correct().index_select(0, index), part_.gradients);
    adversarial_.index_copy_(0, index, points);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      queries_[static_cast<std::size_t>(rows[i])] = target_.queries()[i];
      passes_[static_cast<std::size_t>(rows[i])] = target_.passes()[i];
    }
  }

  // ---- the verdict ----

  Tensor is_correct() const { return clean_.eq(labels_); }

  Tensor decided() const {
    const std::vector<std::int64_t> undecided(is_undecided_.begin(), is_undecided_.end());
    return torch::tensor(undecided, torch::kLong).to(images_.device()).eq(0);
  }

  void judge() {
    const Tensor is_allowed = within_threat(adversarial_, images_, threat_);
    const Tensor keep =
        is_allowed.logical_and(is_correct()).logical_and(decided()).view({-1, 1, 1, 1});
    const Tensor judged = at::where(keep, adversarial_, images_);
    add_outcomes(judged, judge_.predictions(judged, clean_));
    note_failure(wire::Stage::kVerdict, judge_.take_failure());
    part_.threat_violations += images_.size(0) - is_allowed.sum().item<std::int64_t>();
    if (keeps_judged_) judged_.push_back(judged);
  }

  void add_outcomes(const Tensor& judged, const Tensor& predicted) {
    const auto labels = to_vector(labels_);
    const auto clean = to_vector(clean_);
    const auto predictions = to_vector(predicted);
    const auto distances =
        to_doubles(distance(judged.to(at::kDouble), images_.to(at::kDouble), threat_.norm));
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const bool is_decided = !is_undecided_[i] && clean[i] >= 0 && predictions[i] >= 0;
      part_.found.outcomes.push_back({first_ + static_cast<std::int64_t>(i),
                                      labels[i],
                                      clean[i],
                                      is_undecided_[i] ? -1 : predictions[i],
                                      distances[i],
                                      queries_[i],
                                      passes_[i],
                                      is_decided});
    }
  }

  const EvaluationInput& input_;
  Attack& attack_;
  Threat threat_;
  bool is_coupled_;  // samples depend on their batch-mates where they are attacked
  SolveLog log_;     // of the stage that is under way
  Judge judge_;
  NetworkTarget target_;

  wire::CellPart part_;  // all that units before the current one have yielded
  std::int64_t next_;    // the coming unit's first sample
  bool is_checked_ = false;
  bool keeps_judged_ = false;
  std::vector<Tensor> judged_;

  // Of the current unit.
  std::int64_t first_ = 0;
  Tensor images_;
  Tensor labels_;
  Tensor clean_;  // predictions
  Tensor adversarial_;
  std::vector<std::int64_t> queries_;
  std::vector<std::int64_t> passes_;
  std::vector<bool> is_undecided_;  // under the attack
};

AttackEvaluation::AttackEvaluation(const EvaluationInput& input, Attack& attack, std::int64_t first)
    : work_(std::make_unique<Work>(input, attack, first)) {}
AttackEvaluation::~AttackEvaluation() = default;

bool AttackEvaluation::is_done() const {
  return work_->is_done();
}

std::int64_t AttackEvaluation::next() const {
  return work_->next();
}

std::int64_t AttackEvaluation::total() const {
  return work_->total();
}

void AttackEvaluation::step(const ProgressCallback& progress) {
  work_->step(progress);
}

wire::CellPart AttackEvaluation::part() const {
  return work_->part();
}

Tensor AttackEvaluation::judged() const {
  return work_->judged();
}

void AttackEvaluation::keep_judged() {
  work_->keep_judged();
}

}  // namespace unmask::engine
