// Values of one function with the derivative of another.

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "unmask/errors.hpp"
#include "unmask/vector_field.hpp"

namespace unmask {
inline namespace v1 {
namespace {

// The usual s + (v - s).detach() is not v: it is rounded. Verdicts need the very value.
struct ValueWithDerivative : torch::autograd::Function<ValueWithDerivative> {
  static Tensor forward(torch::autograd::AutogradContext* /*context*/,
                        const Tensor& /*carrier*/,
                        const Tensor& value) {
    return value.clone();
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* /*context*/,
                                               torch::autograd::tensor_list gradients) {
    return {gradients[0], Tensor()};
  }
};

}  // namespace

Tensor OdeContext::apply(const Part& part, const Tensor& x, const Part& smooth) {
  const Bpda wanted = bpda();
  if (wanted == Bpda::kNone) return part(x);
  if (wanted == Bpda::kSmooth && !smooth) {
    throw ParamError(
        "bpda \"smooth\": the model names no smooth function for this part; use \"identity\"");
  }
  Tensor value;
  {
    const at::NoGradGuard no_grad;
    value = part(x);
  }
  const Tensor carrier = wanted == Bpda::kSmooth ? smooth(x) : x;
  TORCH_CHECK(carrier.sizes() == value.sizes(),
              "what stands for the derivative of a part must keep its shape ",
              value.sizes(),
              ", it gave ",
              carrier.sizes());
  return ValueWithDerivative::apply(carrier, value);
}

}  // namespace v1
}  // namespace unmask
