#include "manifest/train_stage.hpp"

#include <map>
#include <utility>

#include "manifest/keys.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest::matrix {

TrainStage::TrainStage(const Definitions& definitions, Reporter& reporter)
    : context_("train", kTrainAxes, definitions, reporter),
      values_(context_, Checkpoints()),
      grid_(context_, [](const Row& row) { return row; }) {}

void TrainStage::read(const Node* train, Study& study) {
  Reporter& reporter = context_.reporter;
  if (train == nullptr) return context_.taint();
  if (!expect(*train, Node::Kind::kObject, "\"train\"", reporter)) return context_.taint();
  check_keys(*train, Scope::kTrain, reporter);
  const Node* matrix = train->find("matrix");
  if (matrix == nullptr && train->find("add") == nullptr) {
    reporter.at_key(code::kMissingKey, *train, "\"train\" needs \"matrix\" or \"add\"");
    return context_.taint();
  }
  if (matrix != nullptr) read_matrix(*matrix);
  const auto is_complete = [&](const Node& cell, const std::vector<Dimension>&, Row&) {
    return require_keys(
        cell, {"dataset", "model", "objective", "solver"}, "an added train cell", context_);
  };
  add_cells(*train, Scope::kTrainAdd, row_with_seed(kTrainSeed), is_complete, values_, grid_);

  const auto find_axis = [this](std::string_view key) { return rule_axis(key); };
  kept_ = apply_rules(*train, Scope::kTrainRule, grid_.rows(), find_axis, values_, study);
  study.train_duplicates = grid_.duplicates();
  study.train_axes = values_.texts(kept_);
  if (kept_.empty() && !is_tainted()) {
    reporter.at_key(code::kNoCells, *train, "no train cell is left after the rules");
    context_.taint();  // what the evaluate stage misses follows from this
  }
  write_rows(study);
}

void TrainStage::read_matrix(const Node& matrix) {
  if (!expect(matrix, Node::Kind::kObject, "train.matrix", context_.reporter)) {
    return context_.taint();
  }
  check_keys(matrix, Scope::kTrainMatrix, context_.reporter);
  const std::vector<Dimension> dimensions =
      read_matrix_dimensions(matrix, Scope::kTrainZip, values_);
  bool is_complete = true;
  for (const std::size_t axis : {kDataset, kModel, kObjective, kTrainSolver}) {
    if (has_axis(dimensions, axis)) continue;
    is_complete = false;
    const Axis& a = kTrainAxes[axis];
    if (mentions(matrix, a.name)) continue;  // wrong and reported
    context_.taint();
    context_.reporter.at_key(code::kMissingKey,
                             matrix,
                             "train.matrix needs \"" + std::string(a.name) + "\"",
                             "defined: " + listing(context_.definitions.names(a.kind)));
  }
  if (is_complete) grid_.add_product(dimensions, row_with_seed(kTrainSeed), matrix);
}

std::optional<RuleAxis> TrainStage::rule_axis(std::string_view key) const {
  const auto axis = context_.axis_index(key);
  if (!axis) return std::nullopt;
  return RuleAxis{&kTrainAxes[*axis],
                  [axis](const Row& row) { return row[*axis]; },
                  [this, axis](AxisValue value) { return values_.text(*axis, value); },
                  {}};
}

void TrainStage::write_rows(Study& study) const {
  std::map<std::pair<std::string_view, AxisValue>, SharedDefinition> shared;
  const auto definition = [&](const char* kind, AxisValue index) -> const SharedDefinition& {
    const auto found = shared.find({kind, index});
    if (found != shared.end()) return found->second;
    const auto& defined = context_.definitions.of(kind)[static_cast<std::size_t>(index)];
    return shared.emplace(std::pair(kind, index), defined.definition).first->second;
  };
  study.train.reserve(kept_.size());
  for (const Row& row : kept_) {
    study.train.push_back({definition("dataset", row[kDataset]),
                           definition("model", row[kModel]),
                           definition("objective", row[kObjective]),
                           definition("solver", row[kTrainSolver]),
                           row[kTrainSeed]});
  }
}

Checkpoints TrainStage::checkpoints() const {
  std::vector<std::string> texts;
  for (const Row& row : kept_) {
    std::string text;
    for (const std::size_t axis : {kModel, kDataset, kObjective, kTrainSolver}) {
      text += values_.text(axis, row[axis]) + "/";
    }
    texts.push_back(text + values_.text(kTrainSeed, row[kTrainSeed]));
  }
  return {std::move(texts), !is_tainted()};
}

}  // namespace unmask::manifest::matrix
