#pragma once
// What the tests of the planner share: records of plugins that exist on paper only.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.hpp"
#include "manifest/study.hpp"
#include "plan/planner.hpp"

namespace unmask::plan {

inline catalog::PluginRecord plugin(const std::string& kind,
                                    const std::string& id,
                                    std::vector<ParamSpec> params = {}) {
  catalog::PluginRecord record;
  record.kind = kind;
  record.id = id;
  record.fingerprint = std::string(64, 'a');
  record.params = std::move(params);
  return record;
}

/// Ten samples in every data set.
inline std::map<std::string, wire::DatasetFacts> facts_of(
    const manifest::Study& study, const std::string& hash = std::string(64, 'c')) {
  std::map<std::string, wire::DatasetFacts> facts;
  for (const auto& [id, definition] : used_datasets(study)) facts[id] = {hash, "", 10};
  return facts;
}

/// Plugins "strokes", "net", "loss" and "rk4" under their own names, without parameters.
inline manifest::TrainRow plain_training() {
  const nlohmann::json none = nlohmann::json::object();
  manifest::TrainRow train;
  train.dataset = {"strokes", "strokes", none};
  train.model = {"net", "net", none};
  train.objective = {"loss", "loss", none};
  train.solver = {"rk4", "rk4", none};
  return train;
}

}  // namespace unmask::plan
