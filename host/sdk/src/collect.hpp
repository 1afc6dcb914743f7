#pragma once
// Private to the SDK: how the steps of Runge-Kutta methods save their backward passes work.

#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

/// `tensor` for use as an operand of several combine() calls: in the backward pass their gradients
/// are added up in one go. The gradient at the returned tensor itself is not defined, so it must
/// not leave the solve; that at `tensor` is. No effect where no graph is recorded.
Tensor collect_gradients(const Tensor& tensor);

}  // namespace v1
}  // namespace unmask
