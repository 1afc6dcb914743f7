#include "engine/pace.hpp"

#include "wire/spec.hpp"

namespace unmask::engine {

std::string indivisible_because(loader::Registry& registry,
                                const std::string& kind,
                                const nlohmann::json& definition,
                                const CellFiles& files) {
  if (files.keeps_adversarials) return "its adversarial images are kept in one file";
  if (wire::is_ensemble(definition)) {
    for (const wire::NamedPart& member : wire::members_of(definition)) {
      const std::string reason = indivisible_because(registry, kind, member.part, files);
      if (!reason.empty()) return reason;
    }
    return "";
  }
  const auto id = definition.at("plugin").get<std::string>();
  if (!registry.record(kind, id).capabilities.contains("whole")) return "";
  return "the " + kind + " " + id + " keeps something from batch to batch (its capability whole)";
}

}  // namespace unmask::engine
