#pragma once
// A study: a manifest that was read, validated and resolved. Every name is looked up, every default
// filled, every matrix expanded; nothing about JSON text is left but the verbatim copy.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "wire/cell.hpp"
#include "wire/failure_class.hpp"
#include "wire/manifest_record.hpp"

namespace unmask::words {
struct Diagnostic;
}

namespace unmask::manifest {

/// A named definition, e.g. define.solver["dopri5-tight"].
struct Definition {
  std::string name;    ///< name in the manifest
  std::string plugin;  ///< plugin id

  /// Complete and canonical parameters: all of catalog::full_table(plugin) that have a value,
  /// numbers typed as declared (a real is always a JSON float). May contain the placeholder strings
  /// "${epsilon}*k" of attacks and probes; rows hold them resolved.
  nlohmann::json params;

  /// Of an ensemble: its attacks, in the order in which they take turns. `plugin` and `params` are
  /// empty then.
  std::vector<Definition> members = {};

  /// Of a probe: the gradient solvers that it compares, besides that of the cell.
  std::vector<Definition> gradients = {};

  /// Seconds that a cell of this attack, probe or objective may take; nullopt: as long as any cell.
  std::optional<double> timeout_s = std::nullopt;

  /// Where it is written: a diagnostic without code and message, for what a plugin finds wrong with
  /// it later. Null when the host made it.
  std::shared_ptr<const words::Diagnostic> written = nullptr;
};

/// A definition that rows share: 100,000 rows of a matrix name a few hundred of them. Equal addresses
/// mean equal definitions.
class SharedDefinition {
 public:
  SharedDefinition() = default;
  SharedDefinition(Definition definition)  // NOLINT: a definition that nobody else has yet
      : definition_(std::make_shared<Definition>(std::move(definition))) {}
  SharedDefinition(std::string name, std::string plugin, nlohmann::json params)
      : SharedDefinition(Definition{std::move(name), std::move(plugin), std::move(params)}) {}

  const Definition& operator*() const noexcept {
    static const Definition kNone;
    return definition_ ? *definition_ : kNone;
  }
  const Definition* operator->() const noexcept { return &**this; }

  /// To change it for this owner alone.
  Definition& edit() {
    if (definition_.use_count() != 1) definition_ = std::make_shared<Definition>(**this);
    return *definition_;
  }

 private:
  std::shared_ptr<Definition> definition_;  // null: an empty one
};

/// One trained network: a cell of train.matrix.
struct TrainRow {
  SharedDefinition dataset, model, objective, solver;
  std::int64_t seed = 0;
};

/// What an attack differentiates through: one solver, or the mean over several.
struct GradientChoice {
  std::string name;  ///< as the manifest writes it
  std::vector<SharedDefinition> solvers;
};

/// The network on which adversarial images are made when it is not the one that they are for.
struct SourceChoice {
  std::string name;            ///< as the manifest writes it
  std::size_t checkpoint = 0;  ///< index into Study::train
  SharedDefinition solver;     ///< answers the attack
};

/// One cell of evaluate.matrix: an attack ("none" is clean accuracy) or a probe.
struct EvaluateRow {
  std::size_t checkpoint = 0;                     ///< index into Study::train
  wire::CellKind kind = wire::CellKind::kAttack;  ///< of the two that evaluate
  SharedDefinition method;                 ///< the attack or the probe, placeholders resolved
  SharedDefinition solver;                 ///< answers (the evaluation solver)
  std::optional<GradientChoice> gradient;  ///< nullopt: the solver that answers the attack
  std::optional<SourceChoice> source;      ///< nullopt: the attacked network itself
  double epsilon = 0;        ///< radius in the attack's norm, pixel range [0, 1]; 0 for clean cells
  std::string epsilon_text;  ///< as written, e.g. "8/255"
  std::int64_t seed = 0;
};

/// A combination that a rule took out, for `unmask plan --excluded`.
struct ExcludedRow {
  std::string stage;  ///< "train" or "evaluate"
  std::map<std::string, std::string> axes;
  std::string why;  ///< the rule's "why", or its text
};

/// The "run" object: how to run. Never part of a key.
struct RunSettings {
  std::optional<int> workers;
  std::optional<int> threads;       ///< of one worker
  std::optional<double> timeout_s;  ///< per cell, unless its definition says otherwise
  wire::RetryLimits retries;        ///< that are written
  bool fail_fast = false;
};

struct Study : wire::ManifestRecord {
  std::string dtype = "float32";  ///< "float32" or "float64"
  std::int64_t eval_samples = 0;  ///< first n samples of the evaluation split; 0: all
  std::int64_t eval_batch_size =
      100;  ///< the canonical batch: predictions and verdicts are taken at it
  bool keeps_adversarials = false;  ///< write the images of attack cells to files
  std::vector<TrainRow> train;
  std::vector<EvaluateRow> evaluate;
  std::vector<ExcludedRow> excluded;
  std::size_t train_duplicates = 0;  ///< rows that collapsed into an equal one
  std::size_t evaluate_duplicates = 0;
  std::map<std::string, std::vector<std::string>> train_axes;  ///< axis -> values, for `plan`
  std::map<std::string, std::vector<std::string>> evaluate_axes;
  RunSettings run;
};

}  // namespace unmask::manifest
