// What computes on the CPU is right, whichever library it is.

#include "engine/kernels.hpp"

#include <ATen/Context.h>
#include <torch/types.h>

#include <gtest/gtest.h>

namespace unmask::engine::kernels_test {
namespace {

using at::Tensor;

// Answer, gradient of the input, gradient of the weight.
std::vector<Tensor> convolve(const Tensor& x, const Tensor& weight, std::int64_t stride) {
  const Tensor image = x.clone().requires_grad_();
  const Tensor filter = weight.clone().requires_grad_();
  const Tensor answer = at::conv2d(image, filter, {}, stride, filter.size(2) / 2);
  at::cos(at::arange(answer.numel()).to(at::kDouble))
      .view_as(answer)
      .to(x.dtype())
      .mul(answer)
      .sum()
      .backward();
  return {answer.detach(), image.grad(), filter.grad()};
}

// Sums of at most 64 * 9 products in float32: a thousandth is far beyond their rounding.
TEST(Kernels, ConvolutionsAgreeWithDoublePrecision) {
  avoid_wrong_kernels();
  at::Generator generator = at::detail::createCPUGenerator(1);
  for (const std::int64_t channels : {1, 8, 10, 64}) {
    for (const std::int64_t filters : {4, 8, 32}) {
      for (const std::int64_t size : {4, 7, 14}) {
        for (const std::int64_t stride : {1, 2}) {
          const Tensor x = at::randn({3, channels, size, size}, generator);
          const Tensor weight = at::randn({filters, channels, 3, 3}, generator);
          const auto found = convolve(x, weight, stride);
          const auto expected = convolve(x.to(at::kDouble), weight.to(at::kDouble), stride);
          for (std::size_t i = 0; i < found.size(); ++i) {
            const double off = (found[i].to(at::kDouble) - expected[i]).norm().item<double>();
            EXPECT_LE(off, 1e-3 * expected[i].norm().item<double>())
                << channels << " to " << filters << " channels, size " << size << ", stride "
                << stride << ", part " << i;
          }
        }
      }
    }
  }
}

TEST(Kernels, SayWhetherOneDnnComputes) {
  avoid_wrong_kernels();

  EXPECT_EQ(at::globalContext().userEnabledMkldnn(), onednn_is_right());
  const bool says_off = kernels("").find("oneDNN off") != std::string::npos;
  EXPECT_EQ(says_off, !onednn_is_right());
}

}  // namespace
}  // namespace unmask::engine::kernels_test
