#pragma once
// A training step over a linear network with trainable weights.

#include <torch/types.h>

#include "support/linear_target.hpp"
#include "unmask/objective.hpp"

namespace unmask::test {

class LinearStep final : public TrainingStep {
 public:
  /// @param weight  [K, D]; a copy becomes the trainable parameter
  LinearStep(const Tensor& weight, std::vector<std::int64_t> sample_ids)
      : weight_(weight.clone().requires_grad_(true)),
        target_(weight, at::zeros({weight.size(0)}, weight.options())),
        random_(1, std::move(sample_ids)) {}

  Tensor logits(const Tensor& x) override {
    ++forwards_;
    return at::matmul(x.flatten(1), weight_.t());
  }
  Target& target() override { return target_; }
  SampleRandom& random() override { return random_; }

  const Tensor& weight() const { return weight_; }
  int forwards() const { return forwards_; }

 private:
  Tensor weight_;
  LinearTarget target_;
  SampleRandom random_;
  int forwards_ = 0;
};

}  // namespace unmask::test
