#pragma once
// Plugins from their definitions, as specifications hold them.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "engine/network.hpp"
#include "engine/process_state.hpp"
#include "loader/registry.hpp"
#include "unmask/params.hpp"

namespace unmask::engine {

/// The host's own options out of the parameters of a definition; the plugin's are left alone.
Params host_params(const catalog::PluginRecord& plugin, const nlohmann::json& params);

/// @param definition  {"plugin", "params"}
SolverSetup make_solver(loader::Registry& registry, const nlohmann::json& definition);

/// @param definition  {"plugin", "params"}, or {"members": [such], "names": [text]} of an ensemble
/// @param process     looked at after every call of the attack; nullptr: nobody cares
/// @return an attack whose results are checked, see CheckedAttack
/// @throws ParamError when parameters are wrong, or the members of an ensemble do not fit together
std::unique_ptr<Attack> make_attack(loader::Registry& registry,
                                    const nlohmann::json& definition,
                                    ProcessState* process = nullptr);

/// The batch that an attack or a probe wants to be handed; 0: the canonical one. Members of an
/// ensemble all want the same.
std::int64_t wanted_batch(loader::Registry& registry,
                          const std::string& kind,
                          const nlohmann::json& definition);

/// What a plugin says when it is constructed.
struct ConstructionRefusal {
  std::string message;
  /// False: the parameters or the files that they name do not fit. True: the plugin itself is
  /// wrong; it throws what it must not, or reads a parameter that it did not declare.
  bool is_fault = false;
};

/// Why a plugin cannot be constructed, which the declarations alone do not tell (a Butcher tableau
/// that is not of its order, weights that are no safetensors file); nullopt: it can. Data sets and
/// models need more than parameters and are not constructed.
/// @param definition  {"kind", "plugin", "params"}; of an ensemble "members" and "names". An attack
///                    may have "radius": {"epsilon", "text"}, which is refused above 1 in linf
std::optional<ConstructionRefusal> construction_refusal(loader::Registry& registry,
                                                        const nlohmann::json& definition);

}  // namespace unmask::engine
