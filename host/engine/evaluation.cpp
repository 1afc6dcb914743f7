#include "engine/evaluation.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <torch/types.h>

#include "engine/checks.hpp"
#include "engine/host_values.hpp"
#include "engine/target.hpp"
#include "engine/threat_check.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

std::vector<std::int64_t> range(std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> result(static_cast<std::size_t>(last - first));
  std::iota(result.begin(), result.end(), first);
  return result;
}

// All evaluated samples on the device, and the target that answers for them.
class Evaluation {
 public:
  explicit Evaluation(const EvaluationInput& input)
      : input_(input),
        images_(
            gather_images(input.data, range(0, input.data.size()), input.dtype).to(input.device)),
        labels_(input.data.labels.to(input.device)),
        is_coupled_(is_coupled(input)),
        judge_(input.model,
               input.solver,
               {},
               is_coupled_,
               input.num_classes,
               log_,
               {"evaluate", "evaluate"}),
        target_(input.source ? input.source->model : input.model,
                input.source ? input.source->solver : input.solver,
                input.gradients,
                is_coupled_ || input.source.has_value(),
                input.num_classes,
                log_) {
    if (!input.graphs) return;
    judge_.record_passes(input.graphs);
    target_.record_passes(input.graphs);
  }

  std::int64_t size() const { return input_.data.size(); }
  // Whether samples depend on their batch-mates where they are attacked.
  bool is_coupled() const { return is_coupled_; }
  // Whether they do so where they are attacked or judged.
  bool is_coupled_anywhere() const {
    return is_coupled_ || (input_.source && couples(input_, input_.model, input_.solver));
  }
  const Tensor& images() const { return images_; }
  const Tensor& labels() const { return labels_; }
  NetworkTarget& target() { return target_; }

  // Predicted classes of all samples, each in its canonical batch.
  Tensor predictions(const Tensor& images) {
    std::vector<Tensor> parts;
    for (std::int64_t first = 0; first < size(); first += input_.batch_size) {
      const std::int64_t count = std::min(input_.batch_size, size() - first);
      judge_.begin_batch(images_.narrow(0, first, count));
      parts.push_back(judge_.logits(images.narrow(0, first, count)).argmax(1));
    }
    return at::cat(parts);
  }

  // The checks of the judged network. They come last: a network that draws random numbers gives the
  // same verdict with them as without.
  void check(wire::CellResult& result) {
    NetworkTarget checked(
        input_.model, input_.solver, {}, is_coupled_, input_.num_classes, log_, {"check", "check"});
    const Tensor batch = images_.narrow(0, 0, std::min(input_.batch_size, size()));
    checked.begin_batch(batch);
    check_answers(checked, batch, result);
    add(checked.counters(), result.counters);
  }

  void finish(wire::CellResult& result) {
    result.solve_stats = log_.rows();
    add(judge_.counters(), result.counters);
    add(target_.counters(), result.counters);
  }

 private:
  static void add(const wire::Counters& part, wire::Counters& sum) {
    sum.forwards += part.forwards;
    sum.backwards += part.backwards;
    sum.nfe += part.nfe;
  }

  static bool couples(const EvaluationInput& input, Model& model, const SolverSetup& solver) {
    return is_batch_coupled(
        model, solver, gather_images(input.data, {0}, input.dtype).to(input.device));
  }

  static bool is_coupled(const EvaluationInput& input) {
    Model& model = input.source ? input.source->model : input.model;
    const SolverSetup& solver = input.source ? input.source->solver : input.solver;
    return couples(input, model, solver) ||
           std::any_of(
               input.gradients.begin(), input.gradients.end(), [&](const SolverSetup& gradient) {
                 return couples(input, model, gradient);
               });
  }

  const EvaluationInput& input_;
  Tensor images_;
  Tensor labels_;
  bool is_coupled_;
  SolveLog log_;
  NetworkTarget judge_;
  NetworkTarget target_;
};

std::vector<bool> to_flags(const Tensor& values) {
  const std::vector<std::int64_t> numbers = to_vector(values);
  return {numbers.begin(), numbers.end()};
}

std::vector<double> to_doubles(const Tensor& values) {
  const Tensor on_cpu = values.to(at::kCPU, at::kDouble).contiguous();
  return {on_cpu.data_ptr<double>(), on_cpu.data_ptr<double>() + on_cpu.numel()};
}

}  // namespace

Tensor evaluate_attack(const EvaluationInput& input,
                       Attack& attack,
                       wire::CellResult& result,
                       const ProgressCallback& progress) {
  Evaluation evaluation(input);
  const Tensor& x = evaluation.images();
  const Tensor& y = evaluation.labels();
  const std::int64_t n = evaluation.size();
  const Threat threat{attack.norm(), input.epsilon, 0.0, 1.0};

  const Tensor clean = evaluation.predictions(x);
  const Tensor is_correct = clean.eq(y);

  Tensor x_adv = x.clone();
  std::vector<std::int64_t> queries(static_cast<std::size_t>(n), 0);
  NoteBook notes;
  GradientShares gradients;
  for (std::int64_t first = 0; first < n; first += input.method_batch) {
    const std::int64_t last = std::min(n, first + input.method_batch);
    // A batch-coupled target is a function of whole batches: all rows go in. Otherwise only the
    // samples that there is something to fool about.
    std::vector<std::int64_t> samples = range(first, last);
    if (!evaluation.is_coupled()) {
      samples = to_vector(is_correct.narrow(0, first, last - first).nonzero().squeeze(1) + first);
    }
    if (samples.empty()) continue;
    const Tensor index = torch::tensor(samples, torch::kLong).to(x.device());
    const Tensor batch = x.index_select(0, index);
    AttackContext context{SampleRandom(derive_seed(input.seed, "attack"), samples)};
    evaluation.target().begin_batch(batch);
    evaluation.target().gradient_check().begin(batch);
    const Tensor candidate =
        attack.perturb(evaluation.target(), batch, y.index_select(0, index), threat, context)
            .detach();
    const Tensor is_attacked = is_correct.index_select(0, index);
    notes.add(context.notes, samples, to_flags(is_attacked), result);
    gradients.add(evaluation.target().gradient_check(), is_attacked);
    expect_same_kind(candidate, batch);
    x_adv.index_copy_(0, index, candidate);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      queries[static_cast<std::size_t>(samples[i])] = evaluation.target().queries()[i];
    }
    progress(last, n, "");
  }

  const Tensor is_allowed = within_threat(x_adv, x, threat);
  const Tensor keep = is_allowed.logical_and(is_correct).view({-1, 1, 1, 1});
  x_adv = at::where(keep, x_adv, x);
  const Tensor adversarial = evaluation.predictions(x_adv);

  const auto labels = to_vector(y);
  const auto clean_predictions = to_vector(clean);
  const auto predictions = to_vector(adversarial);
  const auto distances =
      to_doubles(distance(x_adv.to(at::kDouble), x.to(at::kDouble), threat.norm));
  std::int64_t clean_correct = 0;
  std::int64_t robust = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    result.outcomes.push_back({static_cast<std::int64_t>(i),
                               labels[i],
                               clean_predictions[i],
                               predictions[i],
                               distances[i],
                               queries[i]});
    if (clean_predictions[i] != labels[i]) continue;
    ++clean_correct;
    if (predictions[i] == labels[i]) ++robust;
  }
  const auto share = [n](std::int64_t count) {
    return static_cast<double>(count) / static_cast<double>(n);
  };
  result.metrics.push_back({"clean_accuracy", share(clean_correct), n});
  result.metrics.push_back({"robust_accuracy", share(robust), n});
  result.metrics.push_back(
      {"threat_violations", static_cast<double>(n - is_allowed.sum().item<std::int64_t>()), n});
  result.metrics.push_back(
      {"batch_coupled", evaluation.is_coupled_anywhere() ? 1.0 : 0.0, std::nullopt});
  if (input.has_checks) {
    evaluation.check(result);
    gradients.finish(result);
  }
  notes.finish(result);
  evaluation.finish(result);
  return x_adv;
}

void evaluate_probe(const EvaluationInput& input,
                    Probe& probe,
                    wire::CellResult& result,
                    const ProgressCallback& progress) {
  Evaluation evaluation(input);
  const std::int64_t n = evaluation.size();
  std::vector<std::pair<std::string, std::vector<double>>> columns;  // in the probe's order
  for (std::int64_t first = 0; first < n; first += input.method_batch) {
    const std::int64_t last = std::min(n, first + input.method_batch);
    AttackContext context{SampleRandom(derive_seed(input.seed, "probe"), range(first, last))};
    evaluation.target().begin_batch(evaluation.images().narrow(0, first, last - first));
    const auto values = probe.measure(evaluation.target(),
                                      evaluation.images().narrow(0, first, last - first),
                                      evaluation.labels().narrow(0, first, last - first),
                                      context);
    if (first == 0) {
      for (const ProbeValue& value : values)
        columns.emplace_back(value.name, std::vector<double>{});
    }
    TORCH_CHECK(values.size() == columns.size(),
                "the probe measured ",
                values.size(),
                " quantities in one batch and ",
                columns.size(),
                " in another");
    for (std::size_t i = 0; i < values.size(); ++i) {
      TORCH_CHECK(values[i].values.dim() == 1 && values[i].values.size(0) == last - first,
                  "quantity ",
                  values[i].name,
                  " must have one value per sample, got ",
                  values[i].values.sizes());
      const auto numbers = to_doubles(values[i].values);
      columns[i].second.insert(columns[i].second.end(), numbers.begin(), numbers.end());
    }
    progress(last, n, "");
  }

  for (auto& [name, values] : columns) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      result.sample_metrics.push_back({static_cast<std::int64_t>(i), name, values[i]});
    }
    std::vector<double> finite;
    std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](double v) {
      return std::isfinite(v);
    });
    std::sort(finite.begin(), finite.end());
    const double nan = std::nan("");
    const auto count = static_cast<std::int64_t>(finite.size());
    const double sum = std::accumulate(finite.begin(), finite.end(), 0.0);
    result.metrics.push_back(
        {name + ".mean", finite.empty() ? nan : sum / static_cast<double>(count), count});
    result.metrics.push_back(
        {name + ".median", finite.empty() ? nan : finite[finite.size() / 2], count});
    result.metrics.push_back({name + ".min", finite.empty() ? nan : finite.front(), count});
    result.metrics.push_back({name + ".max", finite.empty() ? nan : finite.back(), count});
    result.metrics.push_back(
        {name + ".not_finite", static_cast<double>(n - count) / static_cast<double>(n), n});
  }
  result.metrics.push_back(
      {"batch_coupled", evaluation.is_coupled_anywhere() ? 1.0 : 0.0, std::nullopt});
  evaluation.finish(result);
}

}  // namespace unmask::engine
