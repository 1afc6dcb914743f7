#include "engine/recorded_pass.hpp"

#include <algorithm>
#include <utility>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

namespace unmask::engine {

RecordedPass::RecordedPass(const DeviceGraphMaker& make,
                           const Tensor& x,
                           bool has_gradient,
                           const Forward& forward,
                           ode::Session& session)
    : input_(x.detach().clone().requires_grad_(has_gradient)), forward_(make()) {
  const torch::AutoGradMode mode(has_gradient);
  forward_->capture([this, forward, &session] {
    session.clear();
    logits_ = forward(input_);
    solves_ = session.solves();
    session.clear();
  });
  if (!has_gradient) return;
  weights_ = at::zeros_like(logits_);
  backward_ = make();
  backward_->capture([this] {
    // A network without derivatives has a zero gradient, not a missing one.
    if (!logits_.requires_grad()) {
      gradient_ = at::zeros_like(input_);
      return;
    }
    gradient_ = torch::autograd::grad({logits_},
                                      {input_},
                                      {weights_},
                                      /*retain_graph=*/true,
                                      /*create_graph=*/false,
                                      /*allow_unused=*/true)[0];
    if (!gradient_.defined()) gradient_ = at::zeros_like(input_);
  });
}

Tensor RecordedPass::forward(const Tensor& x) {
  const torch::AutoGradMode mode(backward_ != nullptr);
  {
    const torch::NoGradGuard no_grad;
    input_.copy_(x);
  }
  forward_->replay();
  return logits_.detach().clone();
}

Tensor RecordedPass::backward(const Tensor& weights) {
  weights_.copy_(weights);
  backward_->replay();
  return gradient_.clone();
}

RecordedPass* RecordedPasses::find(const Tensor& x,
                                   bool has_gradient,
                                   const RecordedPass::Forward& forward,
                                   ode::Session& session) {
  if (!make_) return nullptr;
  Entry& entry = entries_[{has_gradient, x.sizes().vec()}];
  if (entry.pass != nullptr) return entry.pass.get();
  if (entry.seen++ < kPassesBeforeRecording) return nullptr;
  const auto recorded = std::count_if(entries_.begin(), entries_.end(), [](const auto& other) {
    return other.second.pass != nullptr;
  });
  if (static_cast<std::size_t>(recorded) >= kMostPasses) {
    for (auto& [shape, other] : entries_) {
      if (other.pass != nullptr) other = {};
    }
  }
  entry.pass = std::make_unique<RecordedPass>(make_, x, has_gradient, forward, session);
  return entry.pass.get();
}

void RecordedPasses::clear() {
  entries_.clear();
}

}  // namespace unmask::engine
