#pragma once
// Targets whose answers are known in closed form: a linear classifier z = scale (W x + b),
// optionally without gradient, with batch-mates that leak into each other, with random answers, or as
// a stand-in for another network. They note every call, so that tests can hold an attack to the rules
// of Target.

#include <cstdint>
#include <vector>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include "unmask/attack.hpp"
#include "unmask/random.hpp"

namespace unmask::test {

/// One call as the target saw it.
struct Call {
  Tensor x;     ///< copy of the points
  Tensor rows;  ///< as passed, possibly undefined
  bool is_gradient = false;
};

/// What a target answers for `model`, points [B, ...] -> logits [B, K], differentiable.
template <class Model>
LossGradient differentiate(const Tensor& x, Model&& model, const LossFunction& loss) {
  const torch::AutoGradMode with_grad(true);
  const Tensor input = x.detach().clone().requires_grad_(true);
  const Tensor logits = model(input);
  const Tensor losses = loss(logits);
  const auto gradient = [&](const Tensor& values) {
    return torch::autograd::grad({values.sum()}, {input}, {}, /*retain_graph=*/true)[0];
  };
  LossGradient result{logits.detach(), losses.detach(), {}};
  if (losses.dim() == 1) {
    result.gradient = gradient(losses);
  } else {
    std::vector<Tensor> all;
    for (std::int64_t m = 0; m < losses.size(1); ++m) all.push_back(gradient(losses.select(1, m)));
    result.gradient = at::stack(all);
  }
  return result;
}

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
  // Every answer is about the image plus normal noise of this deviation, a fresh one for each call.
  LinearTarget& random(double deviation) {
    noise_ = deviation;
    return *this;
  }
  // Somebody else judges.
  LinearTarget& stand_in() {
    is_stand_in_ = true;
    return *this;
  }
  LinearTarget& recording() {
    is_recording_ = true;
    return *this;
  }

  std::int64_t num_classes() const override { return weight_.size(0); }
  bool is_batch_independent() const override {
    return coupling_ == 0 && noise_ == 0 && !is_stand_in_;
  }
  bool is_deterministic() const override { return noise_ == 0; }
  bool is_stand_in() const override { return is_stand_in_; }

  std::int64_t forwards() const { return forwards_; }    ///< samples answered without gradient
  std::int64_t backwards() const { return backwards_; }  ///< samples differentiated
  std::int64_t forward_passes() const { return forward_passes_; }  ///< with and without gradient
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
    forward_passes_ += x.size(0);
    if (is_recording_) calls_.push_back({x.clone(), rows, false});
    return noise_ > 0 ? answer(noisy(x)) : answer(x);
  }

  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor& rows) override {
    if (is_recording_) calls_.push_back({x.clone(), rows, true});
    forward_passes_ += x.size(0);
    LossGradient result = differentiate(
        x, [this](const Tensor& p) { return noise_ > 0 ? answer(noisy(p)) : answer(p); }, loss);
    backwards_ += x.size(0) * (result.loss.dim() == 1 ? 1 : result.loss.size(1));
    if (!has_gradient_) result.gradient = at::zeros_like(result.gradient);
    return result;
  }

 private:
  Tensor noisy(const Tensor& x) {
    return x + noise_ * at::randn(x.sizes(), generator_, x.options().requires_grad(false));
  }

  Tensor weight_;
  Tensor bias_;
  bool has_gradient_ = true;
  double scale_ = 1;
  double coupling_ = 0;
  double noise_ = 0;
  at::Generator generator_ = at::make_generator<at::CPUGeneratorImpl>(11);
  bool is_stand_in_ = false;
  bool is_recording_ = false;
  std::int64_t forwards_ = 0;
  std::int64_t backwards_ = 0;
  std::int64_t forward_passes_ = 0;
  std::vector<Call> calls_;
};

/// Three classes on six 4 x 4 images with pixels at both ends of the box. All images are classified
/// correctly; the margins range from a small part to several times of what an attack of radius 0.04
/// can do.
struct SixImages {
  explicit SixImages(at::ScalarType type = at::kDouble) {
    const auto options = at::TensorOptions().dtype(at::kDouble);
    std::vector<std::int64_t> ids = {0, 1, 2, 3, 4, 5};
    SampleRandom random(5, ids);
    x = random.uniform(at::empty({6, 1, 4, 4}, options), -0.2, 1.2).clamp(0, 1);
    weight = random.stream("weights").normal(at::empty({6, 16}, options)).narrow(0, 0, 3);
    x = x.to(type);
    weight = weight.contiguous().to(type);
    bias = at::zeros({3}, options.dtype(type));
    y = target().answer(x).argmax(1);
  }

  LinearTarget target() const { return {weight, bias}; }

  Tensor x, y, weight, bias;  ///< [6, 1, 4, 4], [6] int64, [3, 16], [3]
};

}  // namespace unmask::test
