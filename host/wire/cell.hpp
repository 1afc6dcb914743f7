#pragma once
// A cell: the unit of work, and its identity.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace unmask::wire {

enum class CellKind { kTrain, kAttack, kProbe };

/// "train", "attack", "probe".
const char* to_string(CellKind kind);

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

struct Cell {
  CellKind kind = CellKind::kTrain;
  std::string key;        ///< SHA-256 of spec.dump(): 64 hexadecimal digits
  nlohmann::json spec;    ///< resolved, canonical: all that the result depends on
  nlohmann::json locals;  ///< part of the spec -> parameter -> where its file or folder is: what an
                          ///< executor needs and the result does not depend on
  CellLabels labels;
  /// Other names of the same computation: definitions that differ in their names alone.
  std::vector<CellLabels> aliases = {};
  /// Index in the plan of the train cell whose checkpoint it uses.
  std::optional<std::size_t> needs = std::nullopt;
  /// Likewise of the network on which adversarial images are made, when it is another one.
  std::optional<std::size_t> needs_source = std::nullopt;

  /// Both.
  std::vector<std::size_t> all_needs() const;

  /// Write the adversarial images to a file. No part of the key: the numbers are the same.
  bool keeps_adversarials = false;
};

/// Name of a part of a specification in Cell::locals: "gradient" when there is one, "gradient.0",
/// "gradient.1" when there are several.
std::string part_name(const std::string& part, std::size_t index, std::size_t count);

/// "train sonet/strokes/dopri5 seed 0", "attack pgd eps 8/255 on sonet/...": one line for people.
std::string title(const Cell& cell);

}  // namespace unmask::wire
