#pragma once
// Which plugin plays which part in which cell.

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "catalog/catalog.hpp"
#include "store/database.hpp"
#include "wire/shared_spec.hpp"

namespace unmask::store {

/// Registers the plugins that specifications name, each once per run.
class PluginRegister {
 public:
  PluginRegister(Database& database, std::int64_t run, const catalog::Catalog& catalog);

  /// Every member of a specification with a plugin and a fingerprint is a plugin in a role; so are
  /// the entries of a list ("gradient.0") and what a source is made of ("source.model").
  /// @param is_new  the cell was not registered before
  /// @throws InternalError for a plugin that the catalog does not hold with this fingerprint
  void add(std::int64_t cell, bool is_new, const wire::Spec& spec);

 private:
  void add_part(std::int64_t cell,
                bool is_new,
                const std::string& role,
                const std::string& kind,
                const nlohmann::json& part);
  std::int64_t plugin_id(const std::string& kind,
                         const std::string& name,
                         const std::string& fingerprint);

  Database& database_;
  std::int64_t run_;
  const catalog::Catalog& catalog_;
  Statement insert_cell_plugin_;
  std::map<std::array<std::string, 3>, std::int64_t> ids_;
};

}  // namespace unmask::store
