#pragma once
// The train stage: the "train" object of a manifest -> rows of networks to train, which are the
// checkpoints of the evaluate stage.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manifest/axes.hpp"
#include "manifest/axis_values.hpp"
#include "manifest/checkpoints.hpp"
#include "manifest/grid.hpp"
#include "manifest/rules.hpp"
#include "manifest/study.hpp"

namespace unmask::manifest::matrix {

class TrainStage {
 public:
  TrainStage(const Definitions& definitions, Reporter& reporter);
  TrainStage(const TrainStage&) = delete;
  TrainStage& operator=(const TrainStage&) = delete;
  ~TrainStage() = default;

  /// Read the "train" object (nullptr: there is none) and fill the train half of `study`.
  void read(const Node* train, Study& study);

  /// The rows that are left after the rules: study.train in numbers.
  const std::vector<Row>& rows() const { return kept_; }
  Checkpoints checkpoints() const;
  std::string text(std::size_t axis, AxisValue value) const { return values_.text(axis, value); }

  /// True when rows may be missing because of errors.
  bool is_tainted() const { return context_.is_tainted(); }

 private:
  void read_matrix(const Node& matrix);
  std::optional<RuleAxis> rule_axis(std::string_view key) const;
  void write_rows(Study& study) const;

  StageContext context_;
  AxisValues values_;
  Grid grid_;
  std::vector<Row> kept_;
};

}  // namespace unmask::manifest::matrix
