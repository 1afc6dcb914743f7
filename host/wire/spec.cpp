#include "wire/spec.hpp"

#include "unmask/errors.hpp"
#include "wire/key.hpp"

namespace unmask::wire {

nlohmann::json plugin_part(const std::string& plugin,
                           const std::string& fingerprint,
                           nlohmann::json params) {
  return {{"plugin", plugin}, {"fingerprint", fingerprint}, {"params", std::move(params)}};
}

nlohmann::json ensemble_part(std::vector<NamedPart> members) {
  nlohmann::json parts = nlohmann::json::array();
  nlohmann::json names = nlohmann::json::array();
  for (NamedPart& member : members) {
    parts.push_back(std::move(member.part));
    names.push_back(std::move(member.name));
  }
  return {{"members", std::move(parts)}, {"names", std::move(names)}};
}

nlohmann::json gradient_part(std::vector<nlohmann::json> solvers) {
  if (solvers.empty()) return nlohmann::json();
  if (solvers.size() == 1) return std::move(solvers.front());
  return {{"mean", std::move(solvers)}};
}

void add_named_gradient(nlohmann::json& probe, const NamedPart& solver) {
  probe["gradients"][solver.name] = solver.part;
}

std::vector<NamedPart> named_gradients_of(const nlohmann::json& probe) {
  std::vector<NamedPart> result;
  const auto found = probe.find("gradients");
  if (found == probe.end()) return result;
  for (const auto& [name, part] : found->items()) result.push_back({name, part});
  return result;
}

bool is_ensemble(const nlohmann::json& part) {
  return part.contains("members");
}

std::vector<NamedPart> members_of(const nlohmann::json& part) {
  const nlohmann::json& parts = part.at("members");
  const nlohmann::json& names = part.at("names");
  std::vector<NamedPart> result;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    result.push_back({names.at(i).get<std::string>(), parts.at(i)});
  }
  return result;
}

std::vector<nlohmann::json> solvers_of(const nlohmann::json& gradient) {
  if (gradient.is_null()) return {};
  if (!gradient.contains("mean")) return {gradient};
  return gradient.at("mean").get<std::vector<nlohmann::json>>();
}

std::optional<std::string> checkpoint_of(const Spec& spec) {
  const nlohmann::json* found = spec.find("checkpoint");
  if (found == nullptr) return std::nullopt;
  return found->get<std::string>();
}

std::optional<std::string> source_of(const Spec& spec) {
  const nlohmann::json* found = spec.find("source");
  if (found == nullptr) return std::nullopt;
  const auto key = found->at("checkpoint").get<std::string>();
  if (key == checkpoint_of(spec)) return std::nullopt;
  return key;
}

std::string part_name(const std::string& part, std::size_t index, std::size_t count) {
  return count == 1 ? part : part + "." + std::to_string(index);
}

nlohmann::json with_locals(nlohmann::json part,
                           const nlohmann::json& locals,
                           const std::string& name) {
  if (part.is_null()) return part;
  for_each_plugin(name, part, [&](const std::string& one, nlohmann::json& plugin) {
    const auto paths = locals.find(one);
    if (paths == locals.end()) return;
    nlohmann::json& params = plugin.at("params");
    for (const auto& [param, path] : paths->items()) {
      const auto planned = params.find(param);
      if (planned != params.end() &&
          *planned != identity_of_file(path.get_ref<const std::string&>())) {
        throw DataError("the file " + path.get<std::string>() + ", parameter \"" + param +
                        "\" of the " + one + " \"" + plugin.at("plugin").get<std::string>() +
                        "\", has changed since the run was planned; run again");
      }
      params[param] = path;
    }
  });
  return part;
}

}  // namespace unmask::wire
