#include "engine/probe_evaluation.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

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

  void finish(wire::CellResult& result) const {
    result.solve_stats = log_.rows();
    result.counters += target_.counters();
    for (const auto& other : others_) result.counters += other->counters();
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

// Of numbers in order: the middle one, or the mean of the two in the middle.
double median(const std::vector<double>& sorted) {
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

void summarise(const std::string& name,
               const std::vector<double>& values,
               wire::CellResult& result) {
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](double v) {
    return std::isfinite(v);
  });
  std::sort(finite.begin(), finite.end());
  const auto all = static_cast<std::int64_t>(values.size());
  const auto count = static_cast<std::int64_t>(finite.size());
  const std::string reason = finite.empty() ? "no value is finite" : "";
  const auto add = [&](const char* what, auto number) {
    result.metrics.push_back(
        {name + what, finite.empty() ? std::nan("") : number(), count, reason});
  };
  add(".mean", [&] {
    return std::accumulate(finite.begin(), finite.end(), 0.0) / static_cast<double>(count);
  });
  add(".median", [&] { return median(finite); });
  add(".min", [&] { return finite.front(); });
  add(".max", [&] { return finite.back(); });
  result.metrics.push_back(
      {name + ".not_finite", static_cast<double>(all - count) / static_cast<double>(all), all});
}

// A network from elsewhere may couple its batches without a solver that does.
bool depends_on_its_batch(const EvaluationInput& input,
                          const Tensor& batch,
                          wire::CellResult& result) {
  SolveLog log;
  NetworkTarget asked(input.model,
                      input.solver,
                      {},
                      {.network = input.network},
                      input.num_classes,
                      log,
                      {"check", "check"});
  seed_generators(input, "check", 0);
  const bool depends = check_answers(asked, batch).is_batch_coupled;
  result.counters += asked.counters();
  return depends;
}

}  // namespace

void evaluate_probe(const EvaluationInput& input,
                    Probe& probe,
                    wire::CellResult& result,
                    const ProgressCallback& progress) {
  const Tensor images = all_images(input);
  const Tensor labels = input.data.labels.to(input.device);
  const std::int64_t n = input.data.size();
  const bool is_solver_coupled = is_attacked_batch_coupled(input);
  Probed probed(input, is_solver_coupled);
  const bool is_coupled =
      is_solver_coupled ||
      depends_on_its_batch(input, images.narrow(0, 0, std::min(n, input.method_batch)), result);
  if (is_coupled) probed.couple();
  Columns columns;
  for (std::int64_t first = 0; first < n; first += input.method_batch) {
    const std::int64_t count = std::min(n - first, input.method_batch);
    std::vector<std::int64_t> samples(static_cast<std::size_t>(count));
    std::iota(samples.begin(), samples.end(), first);
    ProbeContext context(
        SampleRandom(derive_seed(input.seed, "probe"), samples), samples, probed.gradients());
    const Tensor batch = images.narrow(0, first, count).clone();
    seed_generators(input, "network", first);
    probed.begin_batch(batch);
    add_values(
        probe.measure(probed.target(), batch, labels.narrow(0, first, count).clone(), context),
        count,
        columns);
    add_series(context.series, samples, result);
    progress(first + count, n, "");
  }

  for (const auto& [name, values] : columns) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      result.sample_metrics.push_back({static_cast<std::int64_t>(i), name, values[i]});
    }
    summarise(name, values, result);
  }
  result.metrics.push_back({"batch_coupled", is_coupled ? 1.0 : 0.0, std::nullopt});
  probed.finish(result);
}

}  // namespace unmask::engine
