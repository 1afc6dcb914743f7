#pragma once
// Which keys the objects of a manifest may hold.

#include <string>
#include <string_view>
#include <vector>

#include "manifest/text.hpp"

namespace unmask::manifest {

/// True for "$comment" and "x-...": allowed in every object and ignored.
bool is_ignored_key(std::string_view key);

/// The objects of a manifest whose keys are fixed.
enum class Scope {
  kRoot,
  kDefine,
  kDefinition,
  kTrain,
  kTrainMatrix,
  kTrainAdd,
  kTrainZip,
  kTrainRule,
  kEvaluate,
  kEvaluateMatrix,
  kEvaluateAdd,
  kEvaluateZip,
  kEvaluateRule,
  kRun,
  kRetries,
  kVerdict
};

/// The legal keys of such an object.
const std::vector<std::string>& keys_of(Scope scope);

/// Report every member of `object` whose key is not legal there, with the likeliest intention: a
/// misspelling, or the object in which the key does exist. `parameters` are the names
/// that belong into "params" of a definition.
void check_keys(const Node& object,
                Scope scope,
                Reporter& reporter,
                const std::vector<std::string>& parameters = {});

}  // namespace unmask::manifest
