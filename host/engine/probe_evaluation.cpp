#include "engine/probe_evaluation.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "engine/checks.hpp"
#include "engine/host_values.hpp"
#include "engine/series_book.hpp"
#include "engine/target.hpp"

namespace unmask::engine {
namespace {

using Columns = std::vector<std::pair<std::string, std::vector<double>>>;  // in the probe's order

// The probed network: once for the gradient of the cell, once for each that the probe names.
class Probed {
 public:
  Probed(const EvaluationInput& input, bool is_coupled)
      : target_(input.model,
                input.solver,
                input.gradients,
                {.is_coupled = is_coupled, .network = input.network},
                input.num_classes,
                log_) {
    if (input.graphs) target_.record_passes(input.graphs);
    for (const NamedSolver& named : input.named_gradients) {
      others_.push_back(std::make_unique<NetworkTarget>(
          input.model,
          input.solver,
          std::vector<SolverSetup>{named.solver},
          TargetTraits{.is_coupled = is_coupled, .network = input.network},
          input.num_classes,
          log_,
          TargetPhases{"attack", "gradient." + named.name}));
      gradients_.push_back({named.name, others_.back().get()});
    }
  }

  NetworkTarget& target() { return target_; }
  const std::vector<NamedGradient>& gradients() const { return gradients_; }

  // From now on: samples depend on their batch-mates, whatever the solvers say.
  void couple() {
    target_.set_coupled();
    for (const auto& other : others_) other->set_coupled();
  }

  void begin_batch(const Tensor& clean) {
    target_.begin_batch(clean);
    for (const auto& other : others_) other->begin_batch(clean);
  }

  void finish(wire::CellPart& part) const {
    part.solves[static_cast<std::size_t>(wire::Stage::kMethod)] = log_.tallies();
    part.found.counters += target_.counters();
    for (const auto& other : others_) part.found.counters += other->counters();
  }

 private:
  SolveLog log_;
  NetworkTarget target_;
  std::vector<std::unique_ptr<NetworkTarget>> others_;
  std::vector<NamedGradient> gradients_;
};

void add_values(const std::vector<ProbeValue>& values, std::int64_t count, Columns& columns) {
  if (columns.empty()) {
    for (const ProbeValue& value : values) {
      columns.emplace_back(value.name, std::vector<double>{});
    }
  }
  TORCH_CHECK(values.size() == columns.size(),
              "the probe measured ",
              values.size(),
              " quantities in one batch and ",
              columns.size(),
              " in another");
  for (std::size_t i = 0; i < values.size(); ++i) {
    TORCH_CHECK(values[i].values.dim() == 1 && values[i].values.size(0) == count,
                "quantity ",
                values[i].name,
                " must have one value per sample, got ",
                values[i].values.sizes());
    const auto numbers = to_doubles(values[i].values);
    columns[i].second.insert(columns[i].second.end(), numbers.begin(), numbers.end());
  }
}

}  // namespace

class ProbeEvaluation::Work {
 public:
  Work(const EvaluationInput& input, Probe& probe, std::int64_t first)
      : input_(input),
        probe_(probe),
        is_coupled_(is_attacked_batch_coupled(input)),
        probed_(input, is_coupled_),
        next_(first) {
    part_.kind = wire::CellKind::kProbe;
    part_.span.first = first;
    part_.total = input.data.size();
    part_.unit = unit_of(input);
    if (!is_coupled_) is_coupled_ = depends_on_its_batch();
    if (is_coupled_) probed_.couple();
  }

  bool is_done() const { return next_ >= part_.total; }
  std::int64_t next() const { return next_; }
  std::int64_t total() const { return part_.total; }

  void step(const ProgressCallback& progress) {
    const wire::PartSpan unit = unit_at(input_, next_);
    for (std::int64_t at = unit.first; at < unit.last(); at += input_.method_batch) {
      const std::int64_t count = std::min(unit.last() - at, input_.method_batch);
      measure({at, count});
      progress(at + count, part_.total, "");
    }
    next_ = unit.last();
  }

  wire::CellPart part() const {
    wire::CellPart part = part_;
    part.span.count = next_ - part.span.first;
    part.is_coupled = is_coupled_;
    for (const auto& [name, values] : columns_) {
      std::int64_t sample = part.span.first;
      for (const double value : values)
        part.found.sample_metrics.push_back({sample++, name, value});
    }
    probed_.finish(part);
    return part;
  }

 private:
  void measure(const wire::PartSpan& span) {
    const std::vector<std::int64_t> samples = samples_of(span);
    ProbeContext context(
        SampleRandom(derive_seed(input_.seed, "probe"), samples), samples, probed_.gradients());
    const Tensor batch = images_of(input_, span);
    const Tensor labels =
        input_.data.labels.narrow(0, span.first, span.count).to(input_.device).clone();
    begin_passes(input_, "network", span.first);
    probed_.begin_batch(batch);
    add_values(probe_.measure(probed_.target(), batch, labels, context), span.count, columns_);
    add_series(context.series, samples, part_.found);
  }

  // A network from elsewhere may couple its batches without a solver that does.
  bool depends_on_its_batch() {
    SolveLog log;
    NetworkTarget asked(input_.model,
                        input_.solver,
                        {},
                        {.network = input_.network},
                        input_.num_classes,
                        log,
                        {"check", "check"});
    begin_passes(input_, "check", 0);
    const Tensor first = images_of(input_, {0, std::min(part_.total, input_.method_batch)});
    const bool depends = check_answers(asked, first).is_batch_coupled;
    if (part_.span.first == 0) part_.found.counters += asked.counters();
    return depends;
  }

  const EvaluationInput& input_;
  Probe& probe_;
  bool is_coupled_;
  Probed probed_;
  Columns columns_;
  wire::CellPart part_;
  std::int64_t next_;  // the coming unit's first sample
};

ProbeEvaluation::ProbeEvaluation(const EvaluationInput& input, Probe& probe, std::int64_t first)
    : work_(std::make_unique<Work>(input, probe, first)) {}
ProbeEvaluation::~ProbeEvaluation() = default;

bool ProbeEvaluation::is_done() const {
  return work_->is_done();
}

std::int64_t ProbeEvaluation::next() const {
  return work_->next();
}

std::int64_t ProbeEvaluation::total() const {
  return work_->total();
}

void ProbeEvaluation::step(const ProgressCallback& progress) {
  work_->step(progress);
}

wire::CellPart ProbeEvaluation::part() const {
  return work_->part();
}

}  // namespace unmask::engine
