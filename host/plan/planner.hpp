#pragma once
// From a study to cells: what must be computed, in which order, under which keys.

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catalog/catalog.hpp"
#include "manifest/study.hpp"
#include "wire/cell.hpp"
#include "wire/dataset_facts.hpp"

namespace unmask::plan {

/// Identity of a data set definition among those of a study: plugin and all parameters, paths
/// included.
std::string dataset_id(const manifest::Definition& dataset);

/// The distinct data set definitions that a study trains on, by dataset_id.
std::map<std::string, manifest::Definition> used_datasets(const manifest::Study& study);

struct Plan {
  std::vector<wire::Cell> cells;  ///< train cells first, each before what needs it
  std::map<std::string, std::string>
      dataset_problems;  ///< definition name -> why it cannot be read
  /// Cells by key that no worker would come to an end with, and why.
  std::map<std::string, std::string> hopeless;
};

/// A definition whose plugin does not come to an end when it is constructed.
struct EndlessDefinition {
  std::string kind;
  manifest::Definition definition;
  std::string sentence;
};

/// Cells of a study. A data set that cannot be read enters keys as such (its cells cannot be looked
/// up or run, but they can be listed), and is named in dataset_problems.
/// @param endless  cells with one of them, or with a data set whose plugin is endless, are hopeless
Plan make_plan(const manifest::Study& study,
               const catalog::Catalog& catalog,
               const std::map<std::string, wire::DatasetFacts>& facts,
               const std::vector<EndlessDefinition>& endless = {});

/// A plan as another machine may read it: its cells refer to each other by key. What is hopeless here
/// is left out, since it may end there.
void to_json(nlohmann::json& json, const Plan& plan);
/// @throws nlohmann::json::exception for a missing or mistyped member; DataError when a key is not
///         that of its specification, or a cell needs a training that is not there
void from_json(const nlohmann::json& json, Plan& plan);

}  // namespace unmask::plan
