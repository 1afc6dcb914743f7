#pragma once
// A cell: the unit of work, and its identity.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "wire/shared_spec.hpp"

namespace unmask::wire {

enum class CellKind { kTrain, kAttack, kProbe };

/// "train", "attack", "probe".
const char* to_string(CellKind kind);

/// The kind of this name; nullopt when there is none.
std::optional<CellKind> parse_cell_kind(std::string_view name);

/// The names under which a study knows a cell. Not part of its identity: two studies may call the
/// same computation differently.
struct CellLabels {
  std::string dataset, model, objective, train_solver;
  std::int64_t train_seed = 0;
  std::string solver;    ///< evaluation solver; empty for train cells
  std::string gradient;  ///< gradient solvers; empty when it is the one that answers the attack
  std::string source;    ///< where adversarial images are made; empty: on the network itself
  std::string method;    ///< attack or probe; empty for train cells
  std::optional<double> epsilon;
  std::string epsilon_text;
  std::int64_t seed = 0;  ///< attack or probe seed
};

void to_json(nlohmann::json& json, const CellLabels& labels);
void from_json(const nlohmann::json& json, CellLabels& labels);

struct Cell {
  CellKind kind = CellKind::kTrain;
  std::string key;        ///< SHA-256 of spec.dump(): 64 hexadecimal digits
  Spec spec;              ///< resolved, canonical: all that the result depends on
  nlohmann::json locals;  ///< part of the spec -> parameter -> where its file or folder is: what an
                          ///< executor needs and the result does not depend on
  CellLabels labels;
  /// Other names of the same computation: definitions that differ in their names alone.
  std::vector<CellLabels> aliases = {};
  /// Key of the train cell whose checkpoint it uses: what checkpoint_of (wire/spec.hpp) says of spec.
  std::optional<std::string> needs = std::nullopt;
  /// Likewise of the network on which adversarial images are made, when it is another one: source_of.
  std::optional<std::string> needs_source = std::nullopt;

  /// Both.
  std::vector<std::string> all_needs() const;

  /// Write the adversarial images to a file. No part of the key: the numbers are the same.
  bool keeps_adversarials = false;

  /// Seconds that its definition allows it; nullopt: what the run allows every cell. No part of the
  /// key either.
  std::optional<double> timeout_s = std::nullopt;
};

/// A cell as another machine may read it. The trainings that it needs stand in its specification, by
/// key; `needs` and `needs_source` are read from there.
void to_json(nlohmann::json& json, const Cell& cell);
/// @throws nlohmann::json::exception for a missing or mistyped member; DataError for an unknown
///         kind, or when the key is not that of the specification
void from_json(const nlohmann::json& json, Cell& cell);

/// "train sonet/strokes/dopri5 seed 0", "attack pgd eps 8/255 on sonet/...": one line for people.
std::string title(const Cell& cell);

}  // namespace unmask::wire
