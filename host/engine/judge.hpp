#pragma once
// Predicted classes of all samples under the evaluation solver, each in its canonical batch
// (consecutive samples). Only these count.

#include <string>

#include "engine/evaluation_input.hpp"
#include "engine/target.hpp"

namespace unmask::engine {

class Judge {
 public:
  /// @param images  clean, all samples
  Judge(const EvaluationInput& input, const Tensor& images, SolveLog& log);

  /// int64 [N]; -1 where a solve failed on the sample. Where samples do not hang together, one that
  /// fails does not take its batch with it: the others are predicted again with a healthy image in
  /// its place. A network that is random draws the same numbers for every call, so that images that
  /// did not change have the predictions that they had.
  Tensor predictions(const Tensor& images);

  /// The same for images of which batches may be the clean ones, whose predictions are known.
  Tensor predictions(const Tensor& images, const Tensor& clean_predictions);

  /// Whether samples depend on their batch-mates here.
  bool is_coupled() const { return is_coupled_; }

  /// The first failure of a solve; empty: none.
  const std::string& failure() const { return failure_; }

  const wire::Counters& counters() const { return target_.counters(); }

 private:
  Tensor predict(const Tensor& batch, std::int64_t first);
  Tensor predict_healthy(const Tensor& batch, std::int64_t first);
  Tensor ask(const Tensor& batch, std::int64_t first, const Tensor& rows = {});

  const EvaluationInput& input_;
  const Tensor& images_;
  bool is_coupled_;
  NetworkTarget target_;
  std::string failure_;
};

}  // namespace unmask::engine
