#include "engine/target.hpp"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "engine/broken.hpp"
#include "engine/finite.hpp"
#include "engine/in_name_of.hpp"
#include "engine/model_state.hpp"
#include "engine/plugin_results.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

// Passes everything on and remembers the first state that is not finite.
class Watch final : public OdeContext {
 public:
  explicit Watch(ode::Session& session) : session_(session) {}

  State integrate(std::string_view name,
                  const std::shared_ptr<VectorField>& field,
                  const State& y0,
                  double t0,
                  double t1) override {
    look(y0, "the state that the solve \"" + std::string(name) + "\" starts from");
    State y1 = session_.integrate(name, field, y0, t0, t1);
    look(y1, "the result of the solve \"" + std::string(name) + "\"");
    return y1;
  }

  Bpda bpda() const override { return session_.bpda(); }

  const std::string& first() const { return first_; }

 private:
  void look(const State& state, const std::string& what) {
    if (!first_.empty()) return;
    for (const Tensor& part : state) {
      if (!part.isfinite().all().item<bool>()) first_ = what;
    }
  }

  ode::Session& session_;
  std::string first_;
};

std::vector<std::int64_t> row_numbers(const Tensor& rows) {
  const Tensor on_cpu = rows.to(at::kCPU, at::kLong).contiguous();
  return {on_cpu.data_ptr<std::int64_t>(), on_cpu.data_ptr<std::int64_t>() + on_cpu.numel()};
}

// The recorded schedules of the rows that are passed; all of them when no rows are named.
void follow_schedules(const ode::ScheduleBook& book, const Tensor& rows, ode::Session& session) {
  if (!session.is_replaying()) return;
  if (!rows.defined()) {
    session.set_schedules(book);
    return;
  }
  const std::vector<std::int64_t> index = row_numbers(rows);
  ode::ScheduleBook part;
  for (const auto& [name, schedule] : book) part.emplace(name, schedule.rows(index));
  session.set_schedules(std::move(part));
}

void require_losses(const Tensor& losses, const Tensor& x) {
  TORCH_CHECK((losses.dim() == 1 || (losses.dim() == 2 && losses.size(1) > 0)) &&
                  losses.size(0) == x.size(0),
              "a loss function must give [",
              x.size(0),
              "] or [",
              x.size(0),
              ", M], it gave ",
              losses.sizes());
}

Tensor input_gradient(const Tensor& losses, const Tensor& input, bool keep_graph) {
  // Nothing leads back from a network that compares, rounds or detaches all that it is given: its
  // gradient is zero, not missing.
  if (!losses.requires_grad()) return at::zeros_like(input);
  const Tensor gradient = torch::autograd::grad({losses.sum()},
                                                {input},
                                                {},
                                                /*retain_graph=*/keep_graph,
                                                /*create_graph=*/false,
                                                /*allow_unused=*/true)[0];
  // A model that does not depend on its input has a zero gradient, not a missing one.
  return gradient.defined() ? gradient : at::zeros_like(input);
}

}  // namespace

NetworkTarget::NetworkTarget(Model& model,
                             const SolverSetup& evaluation,
                             const std::vector<SolverSetup>& gradients,
                             TargetTraits traits,
                             std::int64_t num_classes,
                             SolveLog& log,
                             TargetPhases phases)
    : model_(model),
      evaluation_(evaluation.method, evaluation.options),
      traits_(std::move(traits)),
      num_classes_(num_classes),
      log_(log),
      phases_(std::move(phases)) {
  for (const SolverSetup& solver : gradients) {
    gradients_.push_back(
        std::make_unique<Differentiated>(solver, computes_same_map(solver, evaluation)));
  }
  if (gradients_.empty()) {
    gradients_.push_back(std::make_unique<Differentiated>(evaluation, /*answers=*/true));
  }
  model_.set_training(false);
  set_trainable(model_, false);
}

void NetworkTarget::record_passes(const DeviceGraphMaker& make) {
  if (evaluation_.can_be_recorded()) evaluation_passes_.use(make);
  for (const auto& by : gradients_) {
    if (by->session.can_be_recorded()) by->passes.use(make);
  }
}

void NetworkTarget::begin_batch(const Tensor& clean) {
  queries_.assign(static_cast<std::size_t>(clean.size(0)), 0);
  passes_.assign(queries_.size(), 0);
  if (evaluation_.is_replaying()) evaluation_passes_.clear();
  evaluation_book_ = record_schedules(clean, evaluation_);
  for (const auto& by : gradients_) {
    if (by->session.is_replaying()) by->passes.clear();
    by->book = record_schedules(clean, by->session);
  }
}

ode::ScheduleBook NetworkTarget::record_schedules(const Tensor& clean, ode::Session& session) {
  if (!session.is_replaying()) return {};
  const torch::NoGradGuard no_grad;
  session.record_schedules();
  forward(clean, session, "record");
  return session.schedules();
}

void NetworkTarget::count_rows(const Tensor& x,
                               const Tensor& rows,
                               std::vector<std::int64_t>& counts) const {
  if (counts.empty()) return;  // nobody asked for counts per row
  if (!rows.defined()) {
    UNMASK_CHECK(x.size(0) == static_cast<std::int64_t>(counts.size()),
                 "a part of the batch was passed to the target without its rows");
    for (std::int64_t& n : counts) ++n;
    return;
  }
  for (const std::int64_t row : row_numbers(rows)) {
    if (row < 0 || row >= static_cast<std::int64_t>(counts.size())) {
      throw PluginError("row " + std::to_string(row) +
                        " was passed to the target; the batch that it was handed has rows 0 to " +
                        std::to_string(counts.size() - 1));
    }
    ++counts[static_cast<std::size_t>(row)];
  }
}

void NetworkTarget::count_pass(const Tensor& x,
                               const std::vector<ode::SolveRecord>& solves,
                               const std::string& phase) {
  const std::int64_t before = log_.nfe();
  log_.take(phase, solves);
  counters_.forwards += x.size(0);
  counters_.nfe += log_.nfe() - before;
  accepted_steps_ = 0;
  for (const ode::SolveRecord& solve : solves) accepted_steps_ += solve.statistics.accepted;
}

Tensor NetworkTarget::run(const Tensor& x, OdeContext& ode) {
  if (traits_.network.empty()) return model_.forward(x.clone(), ode);
  return in_name_of("model " + traits_.network, [&] { return model_.forward(x.clone(), ode); });
}

Tensor NetworkTarget::forward(const Tensor& x, ode::Session& session, const std::string& phase) {
  Tensor logits;
  try {
    logits = run(x, session);
  } catch (...) {
    // What a failed pass has solved is work that was done, and no part of the next one.
    count_pass(x, session.solves(), phase);
    session.clear();
    throw;
  }
  count_pass(x, session.solves(), phase);
  session.clear();
  expect_logits(logits, x.size(0), num_classes_);
  return logits;
}

// Logits of the evaluation solver, without a graph.
Tensor NetworkTarget::answer(const Tensor& x, const Tensor& rows) {
  const torch::NoGradGuard no_grad;
  count_rows(x, rows, passes_);
  const auto pass = [this](const Tensor& batch) { return run(batch, evaluation_); };
  RecordedPass* recorded = evaluation_passes_.find(x, /*has_gradient=*/false, pass, evaluation_);
  if (recorded == nullptr) return forward(x, evaluation_, phases_.answer);
  count_pass(x, recorded->solves(), phases_.answer);
  return recorded->forward(x);
}

// Where numbers that are not finite come from: what was passed, what the network holds, or the
// first solve that has them, which another pass finds.
std::string NetworkTarget::cause_of_bad_logits(const Tensor& x) {
  const torch::NoGradGuard no_grad;
  if (const auto place = first_not_finite(x)) return "the images that were passed hold " + *place;
  Watch watch(evaluation_);
  try {
    run(x, watch);
  } catch (const std::exception&) {
    // The first pass came to its end; a network that draws random numbers may fail in this one.
  }
  evaluation_.clear();
  if (!watch.first().empty()) return watch.first() + " is the first that is not finite";
  return "its weights, the images and the states of its ODE solves are finite, so a layer behind "
         "them makes it";
}

void NetworkTarget::expect_finite(const Tensor& logits, const Tensor& x) {
  if (logits.isfinite().all().item<bool>()) return;
  const Tensor bad = logits.isfinite().all(1).logical_not();
  const std::string text = "logits of the network" +
                           (traits_.network.empty() ? "" : " \"" + traits_.network + "\"") +
                           " are not finite for " + std::to_string(bad.sum().item<std::int64_t>()) +
                           " of " + std::to_string(x.size(0)) + " samples: ";
  // No sample is to blame for weights that are not finite.
  if (const auto place = first_not_finite(all_tensors(model_))) throw BrokenNetwork(text + *place);
  throw NumericError(text + cause_of_bad_logits(x));
}

Tensor NetworkTarget::do_logits(const Tensor& x, const Tensor& rows) {
  count_rows(x, rows, queries_);
  follow_schedules(evaluation_book_, rows, evaluation_);
  Tensor logits = answer(x, rows);
  expect_finite(logits, x);
  return logits;
}

void NetworkTarget::settle_backward() {
  const std::int64_t before = log_.nfe();
  log_.settle_backward();
  counters_.nfe += log_.nfe() - before;
}

// Logits, losses and gradient under one solver.
LossGradient NetworkTarget::differentiate(const Tensor& x,
                                          const LossFunction& loss,
                                          const Tensor& rows,
                                          Differentiated& by) {
  const torch::AutoGradMode with_grad(true);
  count_rows(x, rows, passes_);
  const auto pass = [&](const Tensor& batch) { return run(batch, by.session); };
  RecordedPass* recorded = by.passes.find(x, /*has_gradient=*/true, pass, by.session);
  // A recorded network is a graph of its own, that ends at the logits.
  Tensor input;
  Tensor logits;
  if (recorded != nullptr) {
    count_pass(x, recorded->solves(), phases_.gradient);
    logits = input = recorded->forward(x).requires_grad_(true);
  } else {
    input = x.detach().requires_grad_(true);
    logits = forward(input, by.session, phases_.gradient);
  }
  const Tensor losses = loss(logits);
  require_losses(losses, x);
  const auto gradient_of = [&](const Tensor& part, bool keep_graph) {
    const Tensor gradient = input_gradient(part, input, keep_graph);
    counters_.backwards += x.size(0);
    return recorded != nullptr ? recorded->backward(gradient) : gradient;
  };

  LossGradient result{logits.detach(), losses.detach(), {}};
  if (losses.dim() == 1) {
    result.gradient = gradient_of(losses, /*keep_graph=*/false);
  } else {
    std::vector<Tensor> gradients;
    for (std::int64_t m = 0; m < losses.size(1); ++m) {
      gradients.push_back(gradient_of(losses.select(1, m), /*keep_graph=*/m + 1 < losses.size(1)));
    }
    result.gradient = at::stack(gradients);
  }
  settle_backward();
  return result;
}

LossGradient NetworkTarget::do_loss_and_gradient(const Tensor& x,
                                                 const LossFunction& loss,
                                                 const Tensor& rows) {
  count_rows(x, rows, queries_);
  follow_schedules(evaluation_book_, rows, evaluation_);
  LossGradient result;
  for (const auto& by : gradients_) {
    follow_schedules(by->book, rows, by->session);
    const LossGradient here = differentiate(x, loss, rows, *by);
    result.gradient = result.gradient.defined() ? result.gradient + here.gradient : here.gradient;
    if (by->answers && !result.logits.defined()) {
      result.logits = here.logits;
      result.loss = here.loss;
    }
  }
  if (gradients_.size() > 1) {
    result.gradient = result.gradient / static_cast<double>(gradients_.size());
  }
  if (!result.logits.defined()) {
    const torch::NoGradGuard no_grad;
    result.logits = answer(x, rows);
    result.loss = loss(result.logits);
  }
  expect_finite(result.logits, x);
  gradient_check_.take(result, rows);
  return result;
}

bool is_batch_coupled(Model& model, const SolverSetup& solver, const Tensor& sample) {
  if (!solver.couples_batch()) return false;
  const torch::NoGradGuard no_grad;
  model.set_training(false);
  ode::Session session(solver.method, solver.options);
  if (session.is_replaying()) session.record_schedules();
  try {
    model.forward(sample.clone(), session);
  } catch (const NumericError&) {
    // One image may need more steps than its batch: where it matters, the verdict says so.
  }
  return !session.solves().empty();
}

}  // namespace unmask::engine
