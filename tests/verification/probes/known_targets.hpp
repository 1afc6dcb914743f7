#pragma once
// Targets for probes whose losses are known functions, and what a probe measures on them.

#include <functional>
#include <map>
#include <string>
#include <utility>

#include <torch/types.h>

#include "support/attack_run.hpp"
#include "unmask/probe.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test {

/// Two classes: the logit of class 0 is zero, that of class 1 a function of the image, so the margin
/// loss of label 0 is that function. The gradient may be given another size or sign.
class FunctionTarget final : public Target {
 public:
  using Function = std::function<Tensor(const Tensor& rows)>;  // [B, D] -> [B]

  explicit FunctionTarget(Function function) : function_(std::move(function)) {}

  FunctionTarget& gradient_scaled(double factor) {
    factor_ = factor;
    return *this;
  }

  std::int64_t num_classes() const override { return 2; }
  bool is_batch_independent() const override { return true; }

  std::int64_t forwards() const { return forwards_; }
  std::int64_t backwards() const { return backwards_; }

 private:
  Tensor answer(const Tensor& x) const {
    const Tensor value = function_(x.flatten(1));
    return at::stack({at::zeros_like(value), value}, 1);
  }

  Tensor do_logits(const Tensor& x, const Tensor&) override {
    forwards_ += x.size(0);
    return answer(x);
  }

  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    LossGradient result = differentiate(
        x, [this](const Tensor& points) { return answer(points); }, loss);
    forwards_ += x.size(0);
    backwards_ += x.size(0) * (result.loss.dim() == 1 ? 1 : result.loss.size(1));
    result.gradient = factor_ * result.gradient;
    return result;
  }

  Function function_;
  double factor_ = 1;
  std::int64_t forwards_ = 0;
  std::int64_t backwards_ = 0;
};

using Measured = std::map<std::string, Tensor>;

/// What the probe `id` measures with labels y; its series go to `series`.
inline Measured measure_probe(const std::string& id,
                              const Values& values,
                              Target& target,
                              const Tensor& x,
                              const Tensor& y,
                              std::vector<RecordedSeries>* series = nullptr,
                              std::vector<NamedGradient> gradients = {}) {
  ProbeContext context = probe_context_for(x, std::move(gradients));
  Measured result;
  for (const ProbeValue& value :
       make_plugin<Probe>("probe", id, values)->measure(target, x, y, context)) {
    result[value.name] = value.values;
  }
  if (series != nullptr) *series = context.series;
  return result;
}

inline double number(const Measured& measured, const std::string& name, std::int64_t row = 0) {
  return measured.at(name)[row].item<double>();
}

inline Tensor zeros_for(const Tensor& x) {
  return at::zeros({x.size(0)}, at::kLong);
}

/// float64 images [count, 1, side, side] of uniform pixels in [low, high].
inline Tensor uniform_images(std::int64_t count, std::int64_t side, double low, double high) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return SampleRandom(5, ids).uniform(at::empty({count, 1, side, side}, at::kDouble), low, high);
}

}  // namespace unmask::test
