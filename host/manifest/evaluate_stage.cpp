#include "manifest/evaluate_stage.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "manifest/keys.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest::matrix {
namespace {

// The solver of a cell is that of its training unless it is given.
Row matrix_defaults() {
  Row row = row_with_seed(kSeed);
  row[kSolver] = kToken;
  return row;
}

}  // namespace

EvaluateStage::EvaluateStage(const TrainStage& train,
                             const Definitions& definitions,
                             Reporter& reporter)
    : train_(train),
      context_("evaluate", kEvaluateAxes, definitions, reporter),
      values_(context_, train.checkpoints()),
      methods_(values_),
      grid_(context_, [this](const Row& row) { return normalized(row); }) {
  if (train.is_tainted()) context_.taint();
}

void EvaluateStage::read(const Node& evaluate, Study& study) {
  Reporter& reporter = context_.reporter;
  if (!expect(evaluate, Node::Kind::kObject, "\"evaluate\"", reporter)) return;
  check_keys(evaluate, Scope::kEvaluate, reporter);
  read_numbers(evaluate, study);
  read_save(evaluate, study);
  const Node* matrix = evaluate.find("matrix");
  if (matrix == nullptr && evaluate.find("add") == nullptr) {
    reporter.at_key(code::kMissingKey, evaluate, "\"evaluate\" needs \"matrix\" or \"add\"");
    return;
  }
  if (matrix != nullptr) read_matrix(*matrix);
  const auto is_complete = [this](const Node& cell, const std::vector<Dimension>& dims, Row& row) {
    return check_cell(cell, dims, row);
  };
  add_cells(evaluate, Scope::kEvaluateAdd, row_with_seed(kSeed), is_complete, values_, grid_);

  const auto find_axis = [this](std::string_view key) { return rule_axis(key); };
  const std::vector<Row> rows = without_foreign_sources(grid_.rows(), study);
  const std::vector<Row> kept =
      apply_rules(evaluate, Scope::kEvaluateRule, rows, find_axis, values_, study);
  study.evaluate_duplicates = grid_.duplicates();
  write_axes(kept, study);
  if (kept.empty() && !context_.is_tainted()) {
    reporter.at_key(code::kNoCells, evaluate, "no evaluate cell is left after the rules");
  }
  write_rows(kept, study);
}

void EvaluateStage::read_numbers(const Node& evaluate, Study& study) {
  Reporter& reporter = context_.reporter;
  const auto integer = [&](const char* key, std::int64_t lowest, std::int64_t& out) {
    const Node* node = evaluate.find(key);
    if (node == nullptr) return;
    const std::string name = "\"" + std::string(key) + "\"";
    if (!expect(*node, Node::Kind::kInteger, name, reporter)) return;
    if (node->integer < lowest || node->integer > kLargestSeed) {
      reporter.at_value(
          code::kWrongValue, *node, name + " must be at least " + std::to_string(lowest));
      return;
    }
    out = node->integer;
  };
  integer("samples", 0, study.eval_samples);
  integer("batch_size", 1, study.eval_batch_size);
}

// "save": "adversarials", or a list of such words.
void EvaluateStage::read_save(const Node& evaluate, Study& study) {
  Reporter& reporter = context_.reporter;
  const Node* save = evaluate.find("save");
  if (save == nullptr) return;
  for (const Node* item : items_of(*save)) {
    if (!expect(*item, Node::Kind::kString, "a value of \"save\"", reporter)) continue;
    if (item->string == "adversarials") {
      study.keeps_adversarials = true;
    } else {
      reporter.at_value(code::kWrongValue,
                        *item,
                        "\"save\" cannot keep " + in_quotes(item->string),
                        "it keeps: \"adversarials\"");
    }
  }
}

// --- the matrix ---

void EvaluateStage::read_matrix(const Node& matrix) {
  if (!expect(matrix, Node::Kind::kObject, "evaluate.matrix", context_.reporter)) {
    return context_.taint();
  }
  check_keys(matrix, Scope::kEvaluateMatrix, context_.reporter);
  const std::vector<Dimension> dimensions =
      read_matrix_dimensions(matrix, Scope::kEvaluateZip, values_);
  const Node* clean = matrix.find("clean");
  std::optional<AxisValue> clean_attack;
  if (clean != nullptr) clean_attack = methods_.read_clean(*clean);
  const Node* probe_list = matrix.find("probes");
  std::vector<AxisValue> probes;
  if (probe_list != nullptr) probes = values_.read(kProbe, *probe_list);
  check_matrix(matrix, probes);

  if (clean_attack) {
    Row row = matrix_defaults();
    row[kAttack] = *clean_attack;
    add_product(matrix, projected(dimensions, {kCheckpoint, kSolver}), row, *clean);
  }
  add_attacks(matrix, dimensions);
  if (probe_list != nullptr) add_probes(matrix, *probe_list, probes, dimensions);
}

// Attacks and epsilons need each other, and something must be asked for.
void EvaluateStage::check_matrix(const Node& matrix, const std::vector<AxisValue>& probes) {
  const bool has_attack = mentions(matrix, "attack");
  const bool has_epsilon = mentions(matrix, "epsilon");
  const bool probes_use_epsilon = std::any_of(probes.begin(), probes.end(), [&](AxisValue probe) {
    return methods_.probe_uses_epsilon(probe);
  });
  if (has_attack && !has_epsilon) {
    missing(matrix, "evaluate.matrix has \"attack\", so it needs \"epsilon\"");
  }
  if (!has_attack && has_epsilon && !probes_use_epsilon) {
    missing(matrix,
            "evaluate.matrix has \"epsilon\", but neither \"attack\" nor a probe that uses it");
  }
  for (const char* axis : {"gradient", "source"}) {
    if (has_attack || !mentions(matrix, axis)) continue;
    missing(matrix,
            "evaluate.matrix has \"" + std::string(axis) + "\", but no \"attack\" that uses it");
  }
  if (!has_attack && !has_epsilon && matrix.find("clean") == nullptr &&
      matrix.find("probes") == nullptr) {
    missing(matrix,
            "evaluate.matrix asks for nothing: give \"attack\" and \"epsilon\", \"clean\" or "
            "\"probes\"");
  }
}

void EvaluateStage::missing(const Node& matrix, const std::string& message) {
  context_.taint();
  context_.reporter.at_key(code::kMissingKey, matrix, message);
}

void EvaluateStage::add_attacks(const Node& matrix, const std::vector<Dimension>& dimensions) {
  if (!has_axis(dimensions, kAttack) || !has_axis(dimensions, kEpsilon)) return;
  Row row = matrix_defaults();
  row[kGradient] = kToken;
  row[kSource] = kToken;
  // Not projected: values that are written twice are counted as duplicates.
  add_product(matrix, dimensions, row, matrix);
}

void EvaluateStage::add_probes(const Node& matrix,
                               const Node& list,
                               const std::vector<AxisValue>& probes,
                               const std::vector<Dimension>& dimensions) {
  for (const AxisValue probe : probes) {
    Row row = matrix_defaults();
    row[kProbe] = probe;
    std::vector<std::size_t> axes{kCheckpoint, kSolver, kSeed};
    if (methods_.probe_uses_epsilon(probe)) {
      if (!mentions(matrix, "epsilon")) {
        missing(
            matrix,
            "probe " +
                in_quotes(context_.definitions.names("probe")[static_cast<std::size_t>(probe)]) +
                " uses ${epsilon}, so evaluate.matrix needs \"epsilon\"");
        continue;
      }
      if (!has_axis(dimensions, kEpsilon)) continue;  // wrong and reported
      axes.push_back(kEpsilon);
    }
    add_product(matrix, projected(dimensions, axes), row, list);
  }
}

// A matrix without "checkpoint" means all of them.
void EvaluateStage::add_product(const Node& matrix,
                                std::vector<Dimension> dimensions,
                                const Row& defaults,
                                const Node& where) {
  if (!mentions(matrix, "checkpoint")) {
    Dimension all{{kCheckpoint}, {}};
    for (std::size_t i = 0; i < values_.checkpoints().size(); ++i) {
      all.tuples.push_back({static_cast<AxisValue>(i)});
    }
    dimensions.insert(dimensions.begin(), std::move(all));
  } else if (!has_axis(dimensions, kCheckpoint)) {
    return;  // written, but wrong and reported: there is nothing to cross
  }
  grid_.add_product(dimensions, defaults, where);
}

// --- added cells ---

bool EvaluateStage::check_cell(const Node& cell,
                               const std::vector<Dimension>& dimensions,
                               Row& row) {
  const bool is_placed =
      require_keys(cell, {"checkpoint", "solver"}, "an added evaluate cell", context_);
  const bool has_attack = cell.find("attack") != nullptr;
  const bool has_probe = cell.find("probe") != nullptr;
  if (has_attack == has_probe) {
    context_.taint();
    context_.reporter.at_value(code::kMissingKey,
                               cell,
                               has_attack
                                   ? "an added evaluate cell has \"attack\" or \"probe\", not both"
                                   : "an added evaluate cell needs \"attack\" or \"probe\"");
    return false;
  }
  if (has_probe) return check_probe_cell(cell, dimensions) && is_placed;
  row[kGradient] = kToken;
  row[kSource] = kToken;
  return require_keys(cell, {"epsilon"}, "an added attack cell", context_) && is_placed;
}

bool EvaluateStage::check_probe_cell(const Node& cell, const std::vector<Dimension>& dimensions) {
  Reporter& reporter = context_.reporter;
  bool is_good = true;
  for (const char* axis : {"gradient", "source"}) {
    const Node* node = cell.find(axis);
    if (node == nullptr) continue;
    context_.taint();
    reporter.at_key(code::kWrongValue, *node, "a probe has no \"" + std::string(axis) + "\"");
    is_good = false;
  }
  bool some_use_epsilon = false;
  for (const Dimension& dimension : dimensions) {
    if (dimension.axes[0] != kProbe) continue;
    if (dimension.tuples.empty()) return false;
    for (const auto& tuple : dimension.tuples) {
      some_use_epsilon = some_use_epsilon || methods_.probe_uses_epsilon(tuple[0]);
    }
  }
  const Node* epsilon = cell.find("epsilon");
  if (epsilon != nullptr && !some_use_epsilon) {
    context_.taint();
    reporter.at_key(code::kWrongValue, *epsilon, "no probe of this cell uses ${epsilon}");
    is_good = false;
  }
  if (some_use_epsilon) {
    is_good = require_keys(
                  cell, {"epsilon"}, "an added cell of a probe that uses ${epsilon}", context_) &&
              is_good;
  }
  return is_good;
}

// --- rows ---

const Row& EvaluateStage::train_row(AxisValue checkpoint) const {
  return train_.rows()[static_cast<std::size_t>(checkpoint)];
}

const Row& EvaluateStage::train_row(const Row& row) const {
  return train_row(row[kCheckpoint]);
}

// The meaning of a row: tokens resolved, and what makes no difference taken away.
Row EvaluateStage::normalized(Row row) {
  if (row[kSolver] == kToken) row[kSolver] = train_row(row)[kTrainSolver];
  row[kSource] = normalized_source(row);
  if (row[kGradient] == kToken || row[kGradient] == answering_solver(row)) row[kGradient] = kNone;
  if (row[kAttack] != kNone && methods_.attack(row[kAttack]).is_gradient_free()) {
    row[kGradient] = kNone;
  }
  if (row[kProbe] != kNone && !methods_.probe_uses_epsilon(row[kProbe])) row[kEpsilon] = kNone;
  return row;
}

// The source in its shortest form; kNone when it is the attacked network under its own solver.
AxisValue EvaluateStage::normalized_source(const Row& row) {
  if (row[kSource] == kNone || row[kSource] == kToken) return kNone;
  SourceValue source = values_.source(row[kSource]);
  const bool is_self = source.checkpoint == kToken || source.checkpoint == row[kCheckpoint];
  const AxisValue checkpoint = is_self ? row[kCheckpoint] : source.checkpoint;
  const AxisValue trained_under = train_row(checkpoint)[kTrainSolver];
  const AxisValue solver = source.solver == kToken ? trained_under : source.solver;
  if (is_self && solver == row[kSolver]) return kNone;
  if (is_self) return values_.value_of({.checkpoint = kToken, .solver = solver});
  return values_.value_of({checkpoint, solver == trained_under ? kToken : solver});
}

// The solver of the network that the attack talks to.
AxisValue EvaluateStage::answering_solver(const Row& row) const {
  if (row[kSource] == kNone) return row[kSolver];
  const SourceValue& source = values_.source(row[kSource]);
  return source.solver == kToken ? train_row(source.checkpoint)[kTrainSolver] : source.solver;
}

// Images of one data set mean nothing to a network that was trained on another.
std::vector<Row> EvaluateStage::without_foreign_sources(const std::vector<Row>& rows,
                                                        Study& study) const {
  std::vector<Row> out;
  for (const Row& row : rows) {
    const AxisValue from = row[kSource] == kNone ? kToken : values_.source(row[kSource]).checkpoint;
    if (from == kToken || train_row(from)[kDataset] == train_row(row)[kDataset]) {
      out.push_back(row);
    } else {
      study.excluded.push_back(
          {context_.name, values_.texts(row), "the source was trained on another data set"});
    }
  }
  return out;
}

std::optional<RuleAxis> EvaluateStage::rule_axis(std::string_view key) const {
  if (auto of_train = rule_axis_of_train(key)) return of_train;
  const auto axis = context_.axis_index(key);
  if (!axis) return std::nullopt;
  RuleAxis out{&kEvaluateAxes[*axis],
               [axis](const Row& row) { return row[*axis]; },
               [this, axis](AxisValue value) { return values_.text(*axis, value); },
               {}};
  if (*axis == kSolver) {
    out.is_token = [this](const Row& row) { return row[kSolver] == train_row(row)[kTrainSolver]; };
  }
  if (*axis == kGradient || *axis == kSource) {
    out.is_token = [axis](const Row& row) { return row[kAttack] != kNone && row[*axis] == kNone; };
  }
  return out;
}

// Axes of the train stage are read through the checkpoint.
std::optional<RuleAxis> EvaluateStage::rule_axis_of_train(std::string_view key) const {
  static const std::map<std::string_view, std::size_t> kKeys = {{"model", kModel},
                                                                {"dataset", kDataset},
                                                                {"objective", kObjective},
                                                                {"train_solver", kTrainSolver},
                                                                {"train_seed", kTrainSeed}};
  const auto found = kKeys.find(key);
  if (found == kKeys.end()) return std::nullopt;
  const std::size_t axis = found->second;
  return RuleAxis{&kTrainAxes[axis],
                  [this, axis](const Row& row) { return train_row(row)[axis]; },
                  [this, axis](AxisValue value) { return train_.text(axis, value); },
                  {}};
}

// --- the study ---

void EvaluateStage::write_axes(const std::vector<Row>& kept, Study& study) const {
  study.evaluate_axes = values_.texts(kept);
  for (const std::size_t axis : {kGradient, kSource}) {
    const auto values = study.evaluate_axes.find(kEvaluateAxes[axis].name);
    if (values == study.evaluate_axes.end()) continue;
    const bool some_plain = std::any_of(kept.begin(), kept.end(), [&](const Row& row) {
      return row[kAttack] != kNone && row[axis] == kNone;
    });
    if (some_plain) values->second.insert(values->second.begin(), kEvaluateAxes[axis].token);
  }
}

GradientChoice EvaluateStage::gradient_of(const Row& row) {
  GradientChoice out;
  out.name = values_.text(kGradient, row[kGradient]);
  for (const AxisValue part : values_.gradient_parts(row[kGradient])) {
    out.solvers.push_back(solver(part == kToken ? answering_solver(row) : part));
  }
  return out;
}

SourceChoice EvaluateStage::source_of(const Row& row) {
  const SourceValue& from = values_.source(row[kSource]);
  const AxisValue checkpoint = from.checkpoint == kToken ? row[kCheckpoint] : from.checkpoint;
  return {values_.text(kSource, row[kSource]),
          static_cast<std::size_t>(checkpoint),
          solver(answering_solver(row))};
}

const SharedDefinition& EvaluateStage::solver(AxisValue value) {
  const auto found = solvers_.find(value);
  if (found != solvers_.end()) return found->second;
  const auto& defined = context_.definitions.of("solver")[static_cast<std::size_t>(value)];
  return solvers_.emplace(value, defined.definition).first->second;
}

namespace {

// True when some attack of the definition works in linf. Not every attack lets its norm be chosen.
bool is_linf(const Definition& method) {
  const auto norm = method.params.find("norm");
  return (norm != method.params.end() && *norm == "linf") ||
         std::any_of(method.members.begin(), method.members.end(), is_linf);
}

}  // namespace

// In linf, pixels of [0, 1] and a radius above 1 leave an attack every image: 8 is meant as 8/255.
void EvaluateStage::check_radius(const EpsilonValue& epsilon, const Definition& method) {
  if (epsilon.value <= 1 || !is_linf(method)) return;
  context_.reporter.error(code::kWrongValue,
                          epsilon.place,
                          Reporter::Part::kValue,
                          "epsilon " + epsilon.text +
                              " is larger than the range of pixels, [0, 1], in "
                              "the norm linf",
                          "pixels are numbers from 0 to 1: write \"8/255\" for 8 of 255 steps");
}

void EvaluateStage::write_rows(const std::vector<Row>& kept, Study& study) {
  study.evaluate.reserve(kept.size());
  for (const Row& row : kept) {
    const std::optional<SharedDefinition>& method = methods_.definition_for(row);
    if (!method) continue;  // reported
    EvaluateRow out;
    out.checkpoint = static_cast<std::size_t>(row[kCheckpoint]);
    out.kind = row[kProbe] != kNone ? wire::CellKind::kProbe : wire::CellKind::kAttack;
    out.method = *method;
    out.solver = solver(row[kSolver]);
    if (row[kGradient] != kNone) out.gradient = gradient_of(row);
    if (row[kSource] != kNone) out.source = source_of(row);
    if (row[kEpsilon] != kNone) {
      const EpsilonValue& epsilon = values_.epsilon(row[kEpsilon]);
      out.epsilon = epsilon.value;
      out.epsilon_text = epsilon.text;
      if (row[kAttack] != kNone) check_radius(epsilon, **method);
    }
    out.seed = row[kSeed];
    study.evaluate.push_back(std::move(out));
  }
}

}  // namespace unmask::manifest::matrix
