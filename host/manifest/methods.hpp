#pragma once
// What the evaluate stage applies to checkpoints: the attacks, among them the "clean" one that
// "clean": true implies, and the probes; and their definitions at the epsilon of a row.

#include <map>
#include <optional>
#include <utility>

#include "manifest/axes.hpp"
#include "manifest/axis_values.hpp"
#include "manifest/definitions.hpp"
#include "manifest/study.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest::matrix {

class Methods {
 public:
  explicit Methods(AxisValues& values) : values_(values), context_(values.context()) {}
  Methods(const Methods&) = delete;
  Methods& operator=(const Methods&) = delete;
  ~Methods() = default;

  /// Read "clean" of the matrix.
  /// @return  the attack of clean cells; nullopt when none are wanted, or it is wrong (reported)
  std::optional<AxisValue> read_clean(const Node& node);

  const ResolvedDefinition& attack(AxisValue value) const;
  const ResolvedDefinition& probe(AxisValue value) const;
  bool probe_uses_epsilon(AxisValue value) const { return probe(value).uses_epsilon(); }

  /// The attack or the probe of a row with its epsilon put in; nullopt when it is wrong (reported
  /// once).
  const std::optional<SharedDefinition>& definition_for(const Row& row);

 private:
  std::optional<Definition> define(const ResolvedDefinition& method, AxisValue epsilon);

  AxisValues& values_;
  StageContext& context_;
  std::optional<ResolvedDefinition> implied_clean_;
  // By method and epsilon.
  std::map<std::pair<AxisValue, AxisValue>, std::optional<SharedDefinition>> attacks_;
  std::map<std::pair<AxisValue, AxisValue>, std::optional<SharedDefinition>> probes_;
};

}  // namespace unmask::manifest::matrix
