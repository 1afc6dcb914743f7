#include "engine/judge.hpp"

#include <algorithm>

#include <torch/types.h>

#include "engine/broken.hpp"

namespace unmask::engine {
namespace {

constexpr std::int64_t kNoAnswer = -1;

bool couples_judged(const EvaluationInput& input) {
  // Most solvers couple nothing: then no image is needed.
  return input.solver.couples_batch() &&
         is_batch_coupled(input.model, input.solver, images_of(input, {0, 1}));
}

}  // namespace

Judge::Judge(const EvaluationInput& input, SolveLog& log)
    : input_(input),
      is_coupled_(couples_judged(input)),
      target_(input.model,
              input.solver,
              {},
              {.is_coupled = is_coupled_, .network = input.network},
              input.num_classes,
              log,
              {"evaluate", "evaluate"}) {
  if (input.graphs) target_.record_passes(input.graphs);
}

void Judge::begin(const Tensor& images, std::int64_t first) {
  images_ = images;
  first_ = first;
}

Tensor Judge::predictions(const Tensor& images) {
  return predictions(images, Tensor());
}

Tensor Judge::predictions(const Tensor& images, const Tensor& clean_predictions) {
  std::vector<Tensor> parts;
  const std::int64_t n = images_.size(0);
  for (std::int64_t first = 0; first < n; first += input_.batch_size) {
    const std::int64_t count = std::min(input_.batch_size, n - first);
    const Tensor batch = images.narrow(0, first, count);
    const bool is_known =
        clean_predictions.defined() && at::equal(batch, images_.narrow(0, first, count));
    parts.push_back(is_known ? clean_predictions.narrow(0, first, count) : predict(batch, first));
  }
  return at::cat(parts);
}

Tensor Judge::ask(const Tensor& batch, std::int64_t first, const Tensor& rows) {
  begin_passes(input_, "judge", first_ + first);
  return target_.logits(batch, rows).argmax(1);
}

Tensor Judge::predict(const Tensor& batch, std::int64_t first) {
  try {
    target_.begin_batch(images_.narrow(0, first, batch.size(0)));
    return ask(batch, first);
  } catch (const BrokenNetwork&) {
    throw;
  } catch (const NumericError& error) {
    if (failure_.empty()) failure_ = error.what();
  }
  if (!is_coupled_) return predict_healthy(batch, first);
  return at::full({batch.size(0)}, kNoAnswer, batch.options().dtype(at::kLong));
}

Tensor Judge::predict_healthy(const Tensor& batch, std::int64_t first) {
  const std::int64_t count = batch.size(0);
  const Tensor alone = at::full({count}, kNoAnswer, batch.options().dtype(at::kLong));
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor row = at::full({1}, i, alone.options());
    try {
      alone.narrow(0, i, 1).copy_(ask(batch.narrow(0, i, 1), first, row));
    } catch (const NumericError&) {
      // This is the one that fails, or one of them.
    }
  }
  const Tensor is_healthy = alone.ne(kNoAnswer);
  if (!is_healthy.any().item<bool>()) return alone;
  const Tensor stand_in = batch.index_select(0, is_healthy.to(at::kLong).argmax(0).view({1}));
  const Tensor mended = at::where(is_healthy.view({-1, 1, 1, 1}), batch, stand_in);
  try {
    // At the canonical size: rounding may depend on it.
    return at::where(is_healthy, ask(mended, first), alone);
  } catch (const NumericError&) {
    return alone;
  }
}

}  // namespace unmask::engine
