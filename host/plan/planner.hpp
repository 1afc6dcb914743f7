#pragma once
// From a study to cells: what must be computed, in which order, under which keys.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "loader/catalog.hpp"
#include "manifest/study.hpp"
#include "plan/cell.hpp"

namespace unmask::plan {

/// Version of what the host computes from a specification: driver, training loop, evaluation.
/// Raised whenever equal specifications would give other numbers than before; part of every key.
inline constexpr int kSemantics = 2;

/// What a data set plugin says of one definition; asked for in a child process, since reading data
/// is the plugin's business.
struct DatasetFacts {
  std::string content_hash;  ///< empty when the data cannot be read
  std::string problem;       ///< why not; empty when it can
  std::int64_t test_count = 0;
};

/// Identity of a data set definition among those of a study: plugin and all parameters, paths
/// included.
std::string dataset_id(const manifest::Definition& dataset);

/// The distinct data set definitions that a study trains on, by dataset_id.
std::map<std::string, manifest::Definition> used_datasets(const manifest::Study& study);

struct Plan {
  std::vector<Cell> cells;  ///< train cells first, each before what needs it
  std::map<std::string, std::string>
      dataset_problems;  ///< definition name -> why it cannot be read
};

/// Cells of a study. A data set that cannot be read enters keys as such (its cells cannot be looked
/// up or run, but they can be listed), and is named in dataset_problems.
Plan make_plan(const manifest::Study& study,
               const loader::Catalog& catalog,
               const std::map<std::string, DatasetFacts>& facts);

/// "sha256:<hex>", what stands in a specification for a file parameter: the content of the file,
/// not its name. @throws DataError when it cannot be read
std::string identity_of_file(const std::filesystem::path& file);

/// SHA-256 of the canonical text of a specification: keys sorted, no white space, numbers in
/// shortest form that reads back to the same double.
std::string key_of(const nlohmann::json& spec);

}  // namespace unmask::plan
