#pragma once
// The evaluate stage: the "evaluate" object of a manifest -> rows that attack or probe the
// checkpoints of the train stage.

#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "manifest/axes.hpp"
#include "manifest/axis_values.hpp"
#include "manifest/dimensions.hpp"
#include "manifest/grid.hpp"
#include "manifest/methods.hpp"
#include "manifest/rules.hpp"
#include "manifest/study.hpp"
#include "manifest/train_stage.hpp"

namespace unmask::manifest::matrix {

class EvaluateStage {
 public:
  /// @param train  as read; must outlive the stage
  EvaluateStage(const TrainStage& train, const Definitions& definitions, Reporter& reporter);
  EvaluateStage(const EvaluateStage&) = delete;
  EvaluateStage& operator=(const EvaluateStage&) = delete;
  ~EvaluateStage() = default;

  /// Read the "evaluate" object and fill the evaluate half of `study`.
  void read(const Node& evaluate, Study& study);

 private:
  void read_numbers(const Node& evaluate, Study& study);
  void read_save(const Node& evaluate, Study& study);

  // The matrix stands for up to three products: clean cells, attacks and probes.
  void read_matrix(const Node& matrix);
  void check_matrix(const Node& matrix, const std::vector<AxisValue>& probes);
  void add_attacks(const Node& matrix, const std::vector<Dimension>& dimensions);
  void add_probes(const Node& matrix,
                  const Node& list,
                  const std::vector<AxisValue>& probes,
                  const std::vector<Dimension>& dimensions);
  void add_product(const Node& matrix,
                   std::vector<Dimension> dimensions,
                   const Row& defaults,
                   const Node& where);
  void missing(const Node& matrix, const std::string& message);

  bool check_cell(const Node& cell, const std::vector<Dimension>& dimensions, Row& row);
  bool check_probe_cell(const Node& cell, const std::vector<Dimension>& dimensions);

  Row normalized(Row row);
  AxisValue normalized_source(const Row& row);
  std::vector<Row> without_foreign_sources(const std::vector<Row>& rows, Study& study) const;
  const Row& train_row(AxisValue checkpoint) const;
  const Row& train_row(const Row& row) const;
  AxisValue answering_solver(const Row& row) const;
  const SharedDefinition& solver(AxisValue value);
  GradientChoice gradient_of(const Row& row);
  SourceChoice source_of(const Row& row);
  std::optional<RuleAxis> rule_axis(std::string_view key) const;
  std::optional<RuleAxis> rule_axis_of_train(std::string_view key) const;

  void write_axes(const std::vector<Row>& kept, Study& study) const;
  void check_radius(const EpsilonValue& epsilon, const Definition& method);
  void write_rows(const std::vector<Row>& kept, Study& study);

  const TrainStage& train_;
  std::map<AxisValue, SharedDefinition> solvers_;  // that rows name
  StageContext context_;
  AxisValues values_;
  Methods methods_;
  Grid grid_;
};

}  // namespace unmask::manifest::matrix
