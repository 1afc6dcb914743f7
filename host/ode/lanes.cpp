#include "ode/lanes.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

// Multiplies the incoming gradient by the partial derivatives.
class LinkBackward final : public torch::autograd::Node {
 public:
  explicit LinkBackward(std::vector<std::vector<double>> partials)
      : partials_(std::move(partials)) {}

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    torch::autograd::variable_list out(partials_.size());
    const Tensor& g = gradients[0];
    if (!g.defined()) return out;
    if (at::GradMode::is_enabled()) {
      throw NumericError(
          "second derivatives through a differentiable step size are not available; set "
          "step_gradient to none");
    }
    for (std::size_t i = 0; i < partials_.size(); ++i) {
      if (!task_should_compute_output(i)) continue;
      out[i] = g.dim() == 0 ? g * partials_[i].front() : g * to_tensor(partials_[i], g);
    }
    return out;
  }

  std::string name() const override { return "LinkBackward"; }

 private:
  std::vector<std::vector<double>> partials_;
};

}  // namespace

Scalar constant(double value) {
  return {value, Tensor()};
}

Lanes detached(const Lanes& lanes) {
  return {lanes.value, Tensor(), lanes.is_per_sample};
}

Lanes linked(std::vector<double> value, const std::vector<Dependence>& dependences) {
  UNMASK_CHECK(!dependences.empty(), "a linked number depends on something");
  Lanes out{std::move(value), Tensor(), dependences.front().operand->is_per_sample};
  if (!at::GradMode::is_enabled()) return out;
  std::vector<std::vector<double>> partials;
  torch::autograd::edge_list edges;
  const Tensor* like = nullptr;
  for (const Dependence& dependence : dependences) {
    const Tensor& tensor = dependence.operand->tensor;
    if (!tensor.defined() || !tensor.requires_grad()) continue;
    // What does not matter must not pass on a zero either: zero times infinity is not a number.
    const auto is_zero = [](double partial) { return partial == 0; };
    if (std::all_of(dependence.partial.begin(), dependence.partial.end(), is_zero)) continue;
    partials.push_back(dependence.partial);
    edges.push_back(torch::autograd::impl::gradient_edge(tensor));
    like = &tensor;
  }
  if (like == nullptr) return out;
  {
    const at::NoGradGuard no_grad;
    out.tensor = out.is_per_sample
                     ? to_tensor(out.value, *like)
                     : at::full({}, out.value.front(), like->options().requires_grad(false));
  }
  const std::shared_ptr<LinkBackward> node(new LinkBackward(std::move(partials)),
                                           torch::autograd::deleteNode);
  node->set_next_edges(std::move(edges));
  torch::autograd::create_gradient_edge(out.tensor, node);
  return out;
}

Lanes scaled(double factor, const Lanes& lanes) {
  if (factor == 1) return lanes;
  std::vector<double> value = lanes.value;
  for (double& v : value) v *= factor;
  return linked(std::move(value), {{&lanes, std::vector<double>(lanes.size(), factor)}});
}

Lanes sum(const Lanes& a, const Lanes& b) {
  std::vector<double> value = a.value;
  for (std::size_t i = 0; i < value.size(); ++i) value[i] += b.value[i];
  const std::vector<double> ones(value.size(), 1.0);
  return linked(std::move(value), {{&a, ones}, {&b, ones}});
}

Lanes select(const Lanes& lanes, const std::vector<std::int64_t>& index) {
  Lanes out;
  out.is_per_sample = lanes.is_per_sample;
  out.value.reserve(index.size());
  for (const std::int64_t i : index) out.value.push_back(lanes.value[static_cast<std::size_t>(i)]);
  if (lanes.tensor.defined()) {
    out.tensor = lanes.tensor.index_select(0, to_tensor(index, lanes.tensor));
  }
  return out;
}

Scalar to_scalar(const Lanes& lanes, const Tensor& like) {
  if (!lanes.is_per_sample) return {lanes.value.front(), lanes.tensor};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {nan, lanes.tensor.defined() ? lanes.tensor : to_tensor(lanes.value, like)};
}

Tensor to_tensor(const std::vector<double>& values, const Tensor& like) {
  const at::NoGradGuard no_grad;
  return torch::tensor(values, torch::kDouble).to(like.device());
}

Tensor to_tensor(const std::vector<std::int64_t>& values, const Tensor& like) {
  return torch::tensor(values, torch::kLong).to(like.device());
}

}  // namespace unmask::ode
