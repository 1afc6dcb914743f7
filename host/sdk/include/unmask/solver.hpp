#pragma once
// A solver plugin is a *method*: how to make one step. The host's driver owns everything else (the
// loop, step control, the end rule, what is differentiated, statistics, limits), so that every
// option works with every method. An explicit Runge-Kutta method is a tableau and nothing else:
//
//   class Rk4 final : public RungeKutta {
//    public:
//     static PluginInfo info();
//     explicit Rk4(const Params&)
//         : RungeKutta({.order = 4, .a = {...}, .b = {...}, .c = {...}}) {}
//   };

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "unmask/export.hpp"
#include "unmask/params.hpp"
#include "unmask/tensor.hpp"
#include "unmask/vector_field.hpp"

namespace unmask {
inline namespace v1 {

/// What the driver must know of a method.
struct MethodTraits {
  int order = 0;             ///< of the propagated solution
  int controller_order = 0;  ///< p in h * err^(-1/p); 0 when there is no error estimate
  /// p that torchdiffeq 0.0.1 used in the controller, where that is not controller_order; else 0.
  int legacy_controller_order = 0;
  /// Evaluations of the field per attempted step, f(t0, y0) included unless the last stage is it
  /// (is_fsal). 0 for implicit methods, which iterate.
  int stages = 0;
  bool is_adaptive = false;  ///< gives an error estimate
  /// The last stage is f at the end of the step (first same as last), so the next step starts with
  /// it.
  bool is_fsal = false;
  /// Gives y at the middle of the step, for the quartic interpolant. Without, the driver
  /// interpolates with the cubic of Hermite.
  bool has_midpoint = false;
  bool is_implicit = false;  ///< solves equations in every step and may fail to
  /// A row of the result depends on other rows, e.g. where an iteration stops for the whole batch.
  bool couples_samples = false;
  int history = 0;  ///< earlier steps whose f it wants to see (multistep methods)
};

/// f at the starts of earlier steps of a solve, newest first; for multistep methods.
struct History {
  std::vector<double> times;
  std::vector<State> derivatives;
};

/// Where a step starts and how long it is.
struct StepInput {
  Scalar t0;  ///< time at the start
  Scalar h;   ///< signed step
  Scalar t1;  ///< time at the end; stages at c = 1 use exactly this, not t0 + h
  /// Shift the time that stages at c = 1 see by one unit in the last place of the state's dtype
  /// towards the start, as torchdiffeq 0.2 does, so that a field with a jump at a step end is seen
  /// from inside.
  bool shift_end = false;
  const History* history = nullptr;  ///< never null when traits().history > 0
};

/// What a step yields.
struct StepOutput {
  State y1;                   ///< solution at the end
  State f1;                   ///< f at the end, when the method has it (is_fsal); else empty
  State error;                ///< local error estimate; empty when the method has none
  std::vector<State> stages;  ///< k_1, k_2, ... of a Runge-Kutta method
  /// Why an implicit method found no solution; empty: it did. The solve ends with this reason.
  std::string failure;
  /// An iteration ended at its limit, the result is usable (implicit_adams); counted.
  bool is_unconverged = false;
  /// Multistep: how many of the entries in the history the next step may still see.
  int history_kept = std::numeric_limits<int>::max();
};

/// Base of every solver plugin. The class is constructible from (const Params&) and stateless
/// between steps: one instance serves any number of solves, one at a time.
class UNMASK_API Method {
 public:
  Method() = default;
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;
  virtual ~Method();

  virtual MethodTraits traits() const = 0;

  /// One step from y0. Evaluates the field, never changes its arguments.
  /// @param f0  f(t0, y0): the first stage; the driver evaluates it once and passes on f1 of the
  ///            previous step afterwards
  virtual StepOutput step(VectorField& field,
                          const StepInput& input,
                          const State& y0,
                          const State& f0) = 0;

  /// y in the middle of a step, from its stages. Called only when traits().has_midpoint.
  virtual State midpoint(const StepInput& input, const State& y0, const StepOutput& output);
};

/// Coefficients of an explicit Runge-Kutta method (Butcher tableau).
struct Tableau {
  int order = 0;
  int controller_order = 0;              ///< 0: no error estimate
  int legacy_controller_order = 0;       ///< see MethodTraits
  std::vector<std::vector<double>> a{};  ///< row i - 1 holds a_i1 .. a_i(i-1) of stage i >= 2
  std::vector<double> b{};               ///< weights of the solution, one per stage
  std::vector<double> c{};               ///< nodes of stages 2, 3, ...; stage 1 is at 0
  std::vector<double> error{};           ///< weights of the error estimate b - b^; empty: none
  std::vector<double> mid{};             ///< weights of y at the middle of the step; empty: none
};

/// nullopt when the tableau is consistent: sizes fit, rows of a sum to c, b sums to 1, error
/// weights to 0, mid weights to 1/2 (each to 1e-12), and the order conditions up to order
/// min(order, 5) hold.
UNMASK_API std::optional<std::string> tableau_violation(const Tableau& tableau);

/// An explicit Runge-Kutta method: y1 = y0 + h sum b_i k_i, k_i = f(t0 + c_i h, y0 + h sum a_ij
/// k_j). FSAL is recognised: the last row of a equals b and the last node is 1.
class UNMASK_API RungeKutta : public Method {
 public:
  /// @throws PluginError when the tableau is inconsistent
  explicit RungeKutta(Tableau tableau);
  ~RungeKutta() override;

  MethodTraits traits() const override;
  StepOutput step(VectorField& field,
                  const StepInput& input,
                  const State& y0,
                  const State& f0) override;
  State midpoint(const StepInput& input, const State& y0, const StepOutput& output) override;

 private:
  Tableau tableau_;
  bool is_fsal_ = false;
};

/// y + h * sum_i weights[i] * terms[i], as one node of the graph: the backward pass is one scaled
/// copy per term (and one inner product for h when h carries a gradient), not a chain of
/// temporaries. `h` may hold one number per sample (axis 0). Terms with weight 0 are skipped.
/// Shapes of all tensors are equal. An undefined `y` is zero. The result is `y` itself when all
/// weights are 0. Second derivatives exist where h is a constant; elsewhere the backward pass
/// throws NumericError when a graph of it is asked for.
UNMASK_API Tensor combine(const Tensor& y,
                          const Scalar& h,
                          const std::vector<double>& weights,
                          const std::vector<Tensor>& terms);

}  // namespace v1
}  // namespace unmask
