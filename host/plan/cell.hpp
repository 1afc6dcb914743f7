#pragma once
// A cell: the unit of work, and its identity.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace unmask::plan {

enum class CellKind { kTrain, kAttack, kProbe };

/// "train", "attack", "probe".
const char* to_string(CellKind kind);

/// The names under which a study knows a cell. Not part of its identity: two studies may call the
/// same computation differently.
struct CellLabels {
  std::string dataset, model, objective, train_solver;
  std::int64_t train_seed = 0;
  std::string solver;    ///< evaluation solver; empty for train cells
  std::string gradient;  ///< gradient solver; empty when it is the evaluation solver
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
  std::optional<std::size_t>
      needs;  ///< index in the plan of the train cell whose checkpoint it uses
};

/// "train sonet/strokes/dopri5 seed 0", "attack pgd eps 8/255 on sonet/...": one line for people.
std::string title(const Cell& cell);

}  // namespace unmask::plan
