#pragma once
// Predicted classes of samples under the evaluation solver, each in its canonical batch
// (consecutive samples). Only these count.

#include <cstdint>
#include <string>
#include <utility>

#include "engine/evaluation_input.hpp"
#include "engine/target.hpp"

namespace unmask::engine {

class Judge {
 public:
  Judge(const EvaluationInput& input, SolveLog& log);

  /// The samples that are judged from now on.
  /// @param images  clean [N, C, H, W]  @param first  index of the first one in the split, where a
  ///                canonical batch begins
  void begin(const Tensor& images, std::int64_t first);

  /// int64 [N]; -1 where a solve failed on the sample. Where samples do not hang together, one that
  /// fails does not take its batch with it: the others are predicted again with a healthy image in
  /// its place. A network that is random draws the same numbers for every call, so that images that
  /// did not change have the predictions that they had.
  Tensor predictions(const Tensor& images);

  /// The same for images of which batches may be the clean ones, whose predictions are known.
  Tensor predictions(const Tensor& images, const Tensor& clean_predictions);

  /// Whether samples depend on their batch-mates here.
  bool is_coupled() const { return is_coupled_; }

  /// The first failure of a solve since the last call; empty: none.
  std::string take_failure() { return std::exchange(failure_, std::string()); }

  const wire::Counters& counters() const { return target_.counters(); }

 private:
  Tensor predict(const Tensor& batch, std::int64_t first);
  Tensor predict_healthy(const Tensor& batch, std::int64_t first);
  Tensor ask(const Tensor& batch, std::int64_t first, const Tensor& rows = {});

  const EvaluationInput& input_;
  Tensor images_;
  std::int64_t first_ = 0;
  bool is_coupled_;
  NetworkTarget target_;
  std::string failure_;
};

}  // namespace unmask::engine
