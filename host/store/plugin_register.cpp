#include "store/plugin_register.hpp"

#include "store/sql_values.hpp"
#include "unmask/errors.hpp"
#include "wire/spec.hpp"

namespace unmask::store {

using nlohmann::json;

PluginRegister::PluginRegister(Database& database,
                               std::int64_t run,
                               const catalog::Catalog& catalog)
    : database_(database),
      run_(run),
      catalog_(catalog),
      insert_cell_plugin_(
          database.prepare("insert cell_plugin",
                           "INSERT INTO cell_plugin(cell_id, role, plugin_id) VALUES (?, ?, ?) "
                           "ON CONFLICT (cell_id, role) DO NOTHING")) {}

void PluginRegister::add(std::int64_t cell, const wire::Spec& spec) {
  wire::for_each_part(spec,
                      [&](const std::string& role, const std::string& kind, const json& part) {
                        add_part(cell, role, kind, part);
                      });
}

void PluginRegister::see(const wire::Spec& spec) {
  bool is_new = false;
  for (const wire::SharedMember& member : spec.members()) {
    is_new = seen_.insert(member.get()).second || is_new;
  }
  if (!is_new) return;
  wire::for_each_part(spec,
                      [&](const std::string& role, const std::string& kind, const json& part) {
                        add_part(std::nullopt, role, kind, part);
                      });
}

void PluginRegister::add_part(std::optional<std::int64_t> cell,
                              const std::string& role,
                              const std::string& kind,
                              const json& part) {
  if (!part.contains("plugin") || !part.contains("fingerprint")) return;
  const std::int64_t plugin = plugin_id(
      kind, part.at("plugin").get<std::string>(), part.at("fingerprint").get<std::string>());
  if (cell) insert_cell_plugin_.bind(*cell).bind(role).bind(plugin).run();
}

std::int64_t PluginRegister::plugin_id(const std::string& kind,
                                       const std::string& name,
                                       const std::string& fingerprint) {
  const auto [known, is_new] = ids_.try_emplace({kind, name, fingerprint}, 0);
  if (!is_new) return known->second;
  const catalog::PluginRecord* plugin = catalog_.find(kind, name);
  UNMASK_CHECK(plugin != nullptr && plugin->fingerprint == fingerprint,
               kind + " " + name + " with fingerprint " + fingerprint + " is not in the catalog");
  database_
      .prepare("insert plugin",
               "INSERT INTO plugin(kind, name, fingerprint, version, summary, source, "
               "capabilities) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, name, fingerprint) "
               "DO NOTHING")
      .bind(kind)
      .bind(name)
      .bind(fingerprint)
      .bind(plugin->version)
      .bind(plugin->summary)
      .bind(plugin->source)
      .bind(json(plugin->capabilities).dump())
      .run();
  Statement find = database_.prepare(
      "find plugin", "SELECT id FROM plugin WHERE kind = ? AND name = ? AND fingerprint = ?");
  find.bind(kind).bind(name).bind(fingerprint);
  known->second = only_integer(find, kind + " " + name);
  database_
      .prepare("insert run_plugin",
               "INSERT INTO run_plugin(run_id, plugin_id, file, file_sha256, build_tag) "
               "VALUES (?, ?, ?, ?, ?) ON CONFLICT (run_id, plugin_id) DO NOTHING")
      .bind(run_)
      .bind(known->second)
      .bind(plugin->file.string())
      .bind(plugin->file_sha256)
      .bind(plugin->build_tag)
      .run();
  return known->second;
}

}  // namespace unmask::store
