#pragma once
// Which plugin plays which part in which cell.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>

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
  /// @param cell  one that was not registered before
  /// @throws InternalError for a plugin that the catalog does not hold with this fingerprint
  void add(std::int64_t cell, const wire::Spec& spec);

  /// Likewise of a cell that is registered: its roles are known, its plugins take part in this run.
  /// @param spec  lives as long as this
  void see(const wire::Spec& spec);

 private:
  void add_part(std::optional<std::int64_t> cell,
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
  std::unordered_set<const wire::SpecMember*> seen_;
};

}  // namespace unmask::store
