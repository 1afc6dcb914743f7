#pragma once
// A training step over a linear network with trainable weights. It notes the points at which the
// network was asked, so that tests can hold an objective to its formula.

#include <utility>
#include <vector>

#include <torch/types.h>

#include "unmask/objective.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test {

class LinearStep final : public TrainingStep {
 public:
  /// @param weight  [K, D]; a copy becomes the trainable parameter
  LinearStep(const Tensor& weight, std::vector<std::int64_t> sample_ids)
      : weight_(weight.clone().requires_grad_(true)),
        target_(weight, at::zeros({weight.size(0)}, weight.options())),
        random_(1, std::move(sample_ids)) {}

  Tensor logits(const Tensor& x) override {
    points_.push_back(x.detach().clone());
    return at::matmul(x.flatten(1), weight_.t());
  }
  Target& target() override {
    was_attacked_ = true;
    return target_;
  }
  SampleRandom& random() override { return random_; }

  const Tensor& weight() const { return weight_; }
  /// What the network was trained on, pass by pass.
  const std::vector<Tensor>& points() const { return points_; }
  int forwards() const { return static_cast<int>(points_.size()); }
  bool was_attacked() const { return was_attacked_; }
  /// What the inner attack sees: the same weights, frozen.
  LinearTarget& linear_target() { return target_; }

 private:
  Tensor weight_;
  LinearTarget target_;
  SampleRandom random_;
  std::vector<Tensor> points_;
  bool was_attacked_ = false;
};

}  // namespace unmask::test
