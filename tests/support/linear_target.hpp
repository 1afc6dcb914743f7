#pragma once
// Targets whose answers are known in closed form: a linear classifier z = scale (W x + b),
// optionally without gradient, or with batch-mates that leak into each other. They note every call,
// so that tests can hold an attack to the rules of Target.

#include <cstdint>
#include <vector>

#include <torch/autograd.h>
#include <torch/types.h>

#include "unmask/attack.hpp"

namespace unmask::test {

/// One call as the target saw it.
struct Call {
  Tensor x;     ///< copy of the points
  Tensor rows;  ///< as passed, possibly undefined
  bool is_gradient = false;
};

class LinearTarget : public Target {
 public:
  /// @param weight  [K, D]
  /// @param bias    [K]
  LinearTarget(Tensor weight, Tensor bias) : weight_(std::move(weight)), bias_(std::move(bias)) {}

  // The same answers, and a gradient of zero.
  LinearTarget& without_gradient() {
    has_gradient_ = false;
    return *this;
  }
  LinearTarget& scaled(double factor) {
    scale_ = factor;
    return *this;
  }
  // Every row's logits get `share` times the batch mean of all logits added, gradients included.
  LinearTarget& coupled(double share) {
    coupling_ = share;
    return *this;
  }
  LinearTarget& recording() {
    is_recording_ = true;
    return *this;
  }

  std::int64_t num_classes() const override { return weight_.size(0); }
  bool is_batch_independent() const override { return coupling_ == 0; }

  std::int64_t forwards() const { return forwards_; }    ///< samples answered without gradient
  std::int64_t backwards() const { return backwards_; }  ///< samples differentiated
  const std::vector<Call>& calls() const { return calls_; }

  /// The answers, without counting.
  Tensor answer(const Tensor& x) const {
    // Products summed row by row: a matrix product may round a row differently in another batch.
    const Tensor products = (x.flatten(1).unsqueeze(1) * weight_.unsqueeze(0)).sum(2);
    const Tensor own = scale_ * (products + bias_);
    return coupling_ == 0 ? own : own + coupling_ * own.mean(0, /*keepdim=*/true);
  }

 protected:
  Tensor do_logits(const Tensor& x, const Tensor& rows) override {
    forwards_ += x.size(0);
    if (is_recording_) calls_.push_back({x.clone(), rows, false});
    return answer(x);
  }

  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const Tensor& y,
                                    Loss loss,
                                    const Tensor& rows) override {
    backwards_ += x.size(0);
    if (is_recording_) calls_.push_back({x.clone(), rows, true});
    const torch::AutoGradMode with_grad(true);
    const Tensor input = x.detach().clone().requires_grad_(true);
    const Tensor logits = answer(input);
    const Tensor losses = per_sample_loss(logits, y, loss);
    Tensor gradient = torch::autograd::grad({losses.sum()}, {input})[0];
    if (!has_gradient_) gradient = at::zeros_like(gradient);
    return {logits.detach(), losses.detach(), gradient};
  }

 private:
  Tensor weight_;
  Tensor bias_;
  bool has_gradient_ = true;
  double scale_ = 1;
  double coupling_ = 0;
  bool is_recording_ = false;
  std::int64_t forwards_ = 0;
  std::int64_t backwards_ = 0;
  std::vector<Call> calls_;
};

}  // namespace unmask::test
