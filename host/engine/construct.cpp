#include "engine/construct.hpp"

#include <set>

#include "catalog/host_options.hpp"
#include "catalog/params_json.hpp"
#include "engine/ensemble.hpp"
#include "engine/weights.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine {

using nlohmann::json;

Params host_params(const catalog::PluginRecord& plugin, const json& params) {
  std::set<std::string> of_plugin;
  for (const ParamSpec& spec : plugin.params) of_plugin.insert(spec.name);
  return catalog::params_from_json(
      catalog::host_options(plugin.kind, plugin.capabilities), params, of_plugin);
}

SolverSetup make_solver(loader::Registry& registry, const json& definition) {
  const auto id = definition.at("plugin").get<std::string>();
  const json& params = definition.at("params");
  const catalog::PluginRecord& record = registry.record("solver", id);
  SolverSetup setup;
  setup.id = id;
  for (const ParamSpec& spec : record.params) {
    if (params.contains(spec.name)) setup.method_params += spec.name + params.at(spec.name).dump();
  }
  setup.method = registry.create_solver(id, params);
  setup.options = ode::DriverOptions::from(host_params(record, params), setup.method->traits());
  return setup;
}

std::unique_ptr<Attack> make_attack(loader::Registry& registry, const json& definition) {
  const auto list = definition.find("members");
  if (list == definition.end()) {
    return registry.create_attack(definition.at("plugin").get<std::string>(),
                                  definition.at("params"));
  }
  std::vector<Ensemble::Member> members;
  for (std::size_t i = 0; i < list->size(); ++i) {
    members.push_back(
        {definition.at("names").at(i).get<std::string>(), make_attack(registry, list->at(i))});
  }
  return std::make_unique<Ensemble>(std::move(members));
}

std::int64_t wanted_batch(loader::Registry& registry,
                          const std::string& kind,
                          const json& definition) {
  const auto members = definition.find("members");
  const json& one = members == definition.end() ? definition : members->at(0);
  return host_params(registry.record(kind, one.at("plugin").get<std::string>()), one.at("params"))
      .get_integer("batch_size");
}

namespace {

void construct(loader::Registry& registry, const json& definition) {
  const auto kind = definition.at("kind").get<std::string>();
  if (kind == "solver") make_solver(registry, definition);
  if (kind == "attack") {
    make_attack(registry, definition);
    return;
  }
  const auto id = definition.at("plugin").get<std::string>();
  const json& params = definition.at("params");
  if (kind == "objective") {
    registry.create_objective(id, params);
    const Params options = host_params(registry.record(kind, id), params);
    if (options.has("weights")) expect_readable(weights_of(options));
  }
  if (kind == "probe") registry.create_probe(id, params);
}

}  // namespace

std::optional<ConstructionRefusal> construction_refusal(loader::Registry& registry,
                                                        const json& definition) {
  try {
    construct(registry, definition);
  } catch (const Error& error) {
    return ConstructionRefusal{error.what(), error.code() != ExitCode::kManifest};
  } catch (const std::exception& error) {
    return ConstructionRefusal{error.what(), true};
  }
  return std::nullopt;
}

}  // namespace unmask::engine
