#pragma once
// What a model says about an ODE: dy/dt = f(t, y) on a state of one or more tensors. Which method
// solves it is never the model's business.

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "unmask/export.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

/// State of an ODE: tensors of floating dtype on one device with a common batch axis 0, each of its
/// own shape otherwise. Components are never concatenated.
using State = std::vector<Tensor>;

/// A real number that may carry a gradient: a time or a step size. Under per-sample step control
/// it is one number for every sample.
struct Scalar {
  double value = 0;  ///< NaN when there is one number per sample
  /// Undefined: the constant `value`. 0-dimensional: float64, on the CPU or the state's device,
  /// equal to `value` and attached to the graph. [B]: one number per sample, float64, on the
  /// state's device, attached or not.
  Tensor tensor;

  bool is_constant() const { return !tensor.defined(); }
  bool is_per_sample() const { return tensor.defined() && tensor.dim() == 1; }
};

/// `t` as a tensor of the dtype and device of `like`, [B, ...], that broadcasts against it:
/// 0-dimensional, or [B, 1, ...] when there is one number per sample. Carries the gradient of `t`.
/// A field that depends on time uses this and works under every step control.
UNMASK_API Tensor broadcast(const Scalar& t, const Tensor& like);

/// Right-hand side of an ODE. It may be evaluated again during the backward pass, so evaluate() is
/// a function of its arguments and of what the constructor was given: compute what depends on
/// parameters alone in the constructor, never at the first evaluation.
class UNMASK_API VectorField {
 public:
  VectorField() = default;
  VectorField(const VectorField&) = delete;
  VectorField& operator=(const VectorField&) = delete;
  virtual ~VectorField();

  /// dy/dt at time t: as many tensors as `y`, of the same shapes, dtype and device. `y` is not
  /// modified. Row b of the result depends on row b of `y` (and its time) alone.
  virtual State evaluate(const Scalar& t, const State& y) = 0;

  /// True when evaluate() ignores t. The driver then spends nothing on differentiable times.
  virtual bool is_autonomous() const { return false; }
};

/// What stands for the derivative of a part of a network that has no useful one: backward pass
/// differentiable approximation [Athalye18].
enum class Bpda {
  kNone,      ///< nothing: the part is differentiated as it is
  kIdentity,  ///< the derivative of the identity
  kSmooth,    ///< the derivative of the smooth function that the model names
};

/// A part of a network: any shape in, any shape out, row by row.
using Part = std::function<Tensor(const Tensor&)>;

/// Solves the ODE blocks of a model during one forward pass, and knows how the pass is to be
/// differentiated; handed to Model::forward by the host.
class UNMASK_API OdeContext {
 public:
  OdeContext() = default;
  OdeContext(const OdeContext&) = delete;
  OdeContext& operator=(const OdeContext&) = delete;
  virtual ~OdeContext();

  /// y(t1) of the ODE that starts with y(t0) = y0.
  /// @param name   name of the solve, unique in the model and stable: "conv1", "layer2.0".
  ///               Statistics and step logs carry it.
  /// @param field  kept until the backward pass is over when the solver evaluates it there
  /// @param t1     may be smaller than t0 (reverse time)
  /// @return       state at t1, attached to the graph where y0 or the field's parameters are
  /// @throws NumericError when the solve does not reach t1 (step underflow, attempt limit, a value
  ///               that is not finite): name of the solve, time reached and reason
  virtual State integrate(std::string_view name,
                          const std::shared_ptr<VectorField>& field,
                          const State& y0,
                          double t0,
                          double t1) = 0;

  /// What is asked for by the solver option "bpda".
  virtual Bpda bpda() const { return Bpda::kNone; }

  /// part(x): always the same value, bit by bit; its derivative is that of what bpda() says. A
  /// model passes its quantisers, hard thresholds and the like through this function, so that an
  /// attack can be told to see through them.
  /// @param smooth  a function near `part` with a useful derivative, same shapes; may be left out
  /// @throws ParamError when bpda() asks for `smooth` and there is none
  Tensor apply(const Part& part, const Tensor& x, const Part& smooth = {});
};

}  // namespace v1
}  // namespace unmask
