#include "engine/target.hpp"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

void require_finite(const Tensor& values, const char* what) {
  if (!values.isfinite().all().item<bool>()) {
    throw NumericError(std::string(what) + " of the network are not finite");
  }
}

}  // namespace

NetworkTarget::NetworkTarget(Model& model,
                             const SolverSetup& evaluation,
                             const std::optional<SolverSetup>& gradient,
                             bool is_coupled,
                             std::int64_t num_classes,
                             SolveLog& log,
                             TargetPhases phases)
    : model_(model),
      evaluation_(evaluation.method, evaluation.options),
      gradient_(gradient ? gradient->method : evaluation.method,
                gradient ? gradient->options : evaluation.options),
      same_forward_(!gradient || computes_same_map(*gradient, evaluation)),
      is_coupled_(is_coupled),
      num_classes_(num_classes),
      log_(log),
      phases_(std::move(phases)) {
  model_.set_training(false);
  set_trainable(model_, false);
}

void NetworkTarget::begin_batch(std::int64_t rows) {
  queries_.assign(static_cast<std::size_t>(rows), 0);
}

void NetworkTarget::count_queries(const Tensor& x, const Tensor& rows) {
  if (queries_.empty()) return;  // nobody asked for counts per row
  if (!rows.defined()) {
    UNMASK_CHECK(x.size(0) == static_cast<std::int64_t>(queries_.size()),
                 "a part of the batch was passed to the target without its rows");
    for (std::int64_t& n : queries_) ++n;
    return;
  }
  const Tensor index = rows.to(at::kCPU, at::kLong).contiguous();
  for (std::int64_t i = 0; i < index.size(0); ++i) {
    ++queries_.at(static_cast<std::size_t>(index.data_ptr<std::int64_t>()[i]));
  }
}

Tensor NetworkTarget::forward(const Tensor& x, ode::Session& session, const std::string& phase) {
  const std::int64_t before = log_.nfe();
  Tensor logits = model_.forward(x, session);
  log_.take(phase, session);
  counters_.forwards += x.size(0);
  counters_.nfe += log_.nfe() - before;
  TORCH_CHECK(logits.dim() == 2 && logits.size(0) == x.size(0) && logits.size(1) == num_classes_,
              "the model must give logits [",
              x.size(0),
              ", ",
              num_classes_,
              "], it gave ",
              logits.sizes());
  return logits;
}

Tensor NetworkTarget::do_logits(const Tensor& x, const Tensor& rows) {
  const torch::NoGradGuard no_grad;
  count_queries(x, rows);
  Tensor logits = forward(x, evaluation_, phases_.answer);
  require_finite(logits, "logits");
  return logits;
}

LossGradient NetworkTarget::do_loss_and_gradient(const Tensor& x,
                                                 const Tensor& y,
                                                 Loss loss,
                                                 const Tensor& rows) {
  count_queries(x, rows);
  const torch::AutoGradMode with_grad(true);
  const Tensor input = x.detach().requires_grad_(true);
  const Tensor logits = forward(input, gradient_, phases_.gradient);
  const Tensor losses = per_sample_loss(logits, y, loss);

  LossGradient result;
  result.gradient = torch::autograd::grad({losses.sum()},
                                          {input},
                                          {},
                                          /*retain_graph=*/false,
                                          /*create_graph=*/false,
                                          /*allow_unused=*/true)[0];
  // A model that does not depend on its input has a zero gradient, not a missing one.
  if (!result.gradient.defined()) result.gradient = at::zeros_like(x);
  counters_.backwards += x.size(0);
  if (same_forward_) {
    result.logits = logits.detach();
    result.loss = losses.detach();
  } else {
    const torch::NoGradGuard no_grad;
    result.logits = forward(x, evaluation_, phases_.answer);
    result.loss = per_sample_loss(result.logits, y, loss);
  }
  require_finite(result.logits, "logits");
  return result;
}

bool is_batch_coupled(Model& model, const SolverSetup& solver, const Tensor& sample) {
  if (!solver.couples_batch()) return false;
  const torch::NoGradGuard no_grad;
  model.set_training(false);
  ode::Session session(solver.method, solver.options);
  model.forward(sample, session);
  return !session.solves().empty();
}

}  // namespace unmask::engine
