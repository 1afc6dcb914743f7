#include "engine/construct.hpp"

#include <set>

#include "catalog/host_options.hpp"
#include "catalog/params_json.hpp"
#include "engine/ensemble.hpp"
#include "engine/plugin_results.hpp"
#include "engine/weights.hpp"
#include "unmask/errors.hpp"
#include "wire/key.hpp"
#include "wire/spec.hpp"

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
    if (!params.contains(spec.name)) continue;
    setup.method_params += spec.name + wire::bytes_of(params.at(spec.name));
  }
  setup.method = registry.create_solver(id, params);
  setup.options = ode::DriverOptions::from(host_params(record, params), setup.method->traits());
  return setup;
}

std::unique_ptr<Attack> make_attack(loader::Registry& registry,
                                    const json& definition,
                                    ProcessState* process) {
  if (!wire::is_ensemble(definition)) {
    const auto id = definition.at("plugin").get<std::string>();
    return std::make_unique<CheckedAttack>(
        id, registry.create_attack(id, definition.at("params")), process);
  }
  std::vector<Ensemble::Member> members;
  for (const wire::NamedPart& member : wire::members_of(definition)) {
    members.push_back({member.name, make_attack(registry, member.part, process)});
  }
  return std::make_unique<Ensemble>(std::move(members));
}

std::int64_t wanted_batch(loader::Registry& registry,
                          const std::string& kind,
                          const json& definition) {
  const json one =
      wire::is_ensemble(definition) ? wire::members_of(definition).front().part : definition;
  return host_params(registry.record(kind, one.at("plugin").get<std::string>()), one.at("params"))
      .get_integer("batch_size");
}

namespace {

// What an attack works in it says itself, so a manifest cannot be held against it before.
void expect_radius_inside_pixels(const Attack& attack, const json& definition) {
  const auto radius = definition.find("radius");
  if (radius == definition.end() || attack.norm() != Norm::kLinf) return;
  if (radius->at("epsilon").get<double>() <= 1) return;
  throw ParamError("epsilon " + radius->at("text").get<std::string>() +
                   " is larger than the range of pixels, [0, 1], in the norm linf, in which this "
                   "attack works; write \"8/255\" for 8 of 255 steps");
}

void construct(loader::Registry& registry, const json& definition) {
  const auto kind = definition.at("kind").get<std::string>();
  if (kind == "solver") make_solver(registry, definition);
  if (kind == "attack") {
    expect_radius_inside_pixels(*make_attack(registry, definition), definition);
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
