#pragma once
// The model's vector field as the driver sees it: every evaluation counted and its result checked.

#include "ode/statistics.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::ode {

class CountedField final : public VectorField {
 public:
  /// Both references must outlive this object.
  CountedField(VectorField& field, Statistics& statistics)
      : field_(field), statistics_(statistics) {}

  /// @throws PluginError when the result does not have the shapes, dtype and device of `y`, or `y`
  ///         was written to
  State evaluate(const Scalar& t, const State& y) override;
  bool is_autonomous() const override { return field_.is_autonomous(); }

 private:
  VectorField& field_;
  Statistics& statistics_;
};

}  // namespace unmask::ode
