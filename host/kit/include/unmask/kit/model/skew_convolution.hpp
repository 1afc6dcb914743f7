#pragma once
// A convolution with padding 1 and its adjoint, the two linear maps of a stabilised ODE block, in
// the forms for which LibTorch has fast code:
//
//   conv      [B, C_in, H, W] -> [B, C_out, H', W']      conv2d
//   adjoint   [B, C_out, H', W'] -> [B, C_in, H, W]      stride 1: conv2d with the kernel flipped
//   and
//                                                        its channels exchanged; few channels: a
//                                                        transposed convolution; stride 2: the data
//                                                        gradient of conv2d
//
// Each is the other's backward pass, so nothing is kept for it but the kernel, and the argument
// where the kernel is trained.

#include <cstdint>
#include <utility>
#include <vector>

#include <torch/autograd.h>
#include <torch/types.h>

#include "unmask/tensor.hpp"

namespace unmask::kit {

/// The constants of both maps.
struct SkewShape {
  std::int64_t stride = 1;
  std::vector<std::int64_t> input;  ///< [B, C_in, H, W]; B is taken from the argument
};

namespace detail {

/// Gradients of conv2d(x, kernel) at x and at the kernel, of which one is wanted.
inline Tensor convolution_gradient(const Tensor& gradient,
                                   const Tensor& x,
                                   const Tensor& kernel,
                                   std::int64_t stride,
                                   bool at_kernel) {
  const auto all = at::convolution_backward(gradient,
                                            x,
                                            kernel,
                                            {},
                                            {stride, stride},
                                            {1, 1},
                                            {1, 1},
                                            /*transposed=*/false,
                                            {0, 0},
                                            /*groups=*/1,
                                            {!at_kernel, at_kernel, false});
  return at_kernel ? std::get<1>(all) : std::get<0>(all);
}

inline Tensor adjoint_convolution(const Tensor& y,
                                  const Tensor& kernel,
                                  const Tensor& flipped,
                                  const SkewShape& shape) {
  if (flipped.numel() > 0) return at::conv2d(y, flipped, {}, 1, 1);
  if (shape.stride == 1) return at::conv_transpose2d(y, kernel, {}, 1, 1);
  // Of x only the shape matters.
  const Tensor x = at::empty({1}, y.options().requires_grad(false))
                       .expand({y.size(0), shape.input[1], shape.input[2], shape.input[3]});
  // Autocast does not know this one: it takes operands of one type.
  const Tensor like_y = kernel.to(y.scalar_type());
  return convolution_gradient(y, x, like_y, shape.stride, /*at_kernel=*/false);
}

/// sign * conv(x) or sign * adjoint(x), differentiable any number of times.
class SkewMap final : public torch::autograd::Function<SkewMap> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context,
                        const Tensor& x,
                        const Tensor& kernel,
                        const Tensor& flipped,
                        const SkewShape& shape,
                        bool is_adjoint) {
    context->saved_data["stride"] = shape.stride;
    context->saved_data["input"] = shape.input;
    context->saved_data["is_adjoint"] = is_adjoint;
    context->save_for_backward({kernel.requires_grad() ? x : Tensor(), kernel, flipped});
    const at::AutoDispatchBelowADInplaceOrView below;
    return is_adjoint ? adjoint_convolution(x, kernel, flipped, shape)
                      : at::conv2d(x, kernel, {}, shape.stride, 1);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const Tensor& g = gradients[0];
    // Under autocast the result, and so its gradient, has another type than what was saved.
    const auto saved = context->get_saved_variables();
    const auto like_gradient = [&](const Tensor& tensor) {
      return tensor.defined() ? tensor.to(g.scalar_type()) : tensor;
    };
    const Tensor x = like_gradient(saved[0]);
    const Tensor kernel = like_gradient(saved[1]);
    const Tensor flipped = like_gradient(saved[2]);
    const SkewShape shape{context->saved_data["stride"].toInt(),
                          context->saved_data["input"].toIntVector()};
    const bool is_adjoint = context->saved_data["is_adjoint"].toBool();
    Tensor at_x;
    Tensor at_kernel;
    if (context->needs_input_grad(0)) at_x = apply(g, kernel, flipped, shape, !is_adjoint);
    if (context->needs_input_grad(1)) {
      // <g, conv(x)> and <g, adjoint(x)> = <conv(g), x>.
      at_kernel = is_adjoint ? convolution_gradient(x, g, kernel, shape.stride, true)
                             : convolution_gradient(g, x, kernel, shape.stride, true);
    }
    return {at_x, at_kernel, Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace detail

/// sign * conv and sign * adjoint for one kernel.
class SkewConvolution {
 public:
  /// @param kernel  [C_out, C_in, k, k]; attached to the graph where it is trained
  /// @param shape   of the block's input
  SkewConvolution(Tensor kernel, SkewShape shape)
      : kernel_(std::move(kernel)), shape_(std::move(shape)) {
    // The flipped form computes with C_in output channels, of which a few are slow.
    constexpr std::int64_t kFewChannels = 8;
    flipped_ = at::empty({0}, kernel_.options().requires_grad(false));
    if (shape_.stride == 1 && kernel_.size(1) >= kFewChannels) {
      flipped_ = kernel_.detach().transpose(0, 1).flip({2, 3}).contiguous();
    }
  }

  Tensor forward(const Tensor& x) const {
    return detail::SkewMap::apply(x, kernel_, flipped_, shape_, false);
  }
  Tensor adjoint(const Tensor& y) const {
    return detail::SkewMap::apply(y, kernel_, flipped_, shape_, true);
  }

 private:
  Tensor kernel_;
  SkewShape shape_;
  Tensor flipped_;  ///< empty: not used
};

}  // namespace unmask::kit
