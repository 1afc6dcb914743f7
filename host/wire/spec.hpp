#pragma once
// What a specification is made of. It is JSON, since its canonical text is what a key is the hash of;
// but who reads it or makes it does so with these functions, and nobody else knows how an ensemble,
// a mean of gradients or a source is written.
//
//   {"kind": "attack", "semantics": 2, "sdk_epoch": 2, "dtype": "float32", "seed": 0,
//    "checkpoint": KEY, "samples": 100, "batch_size": 50, "epsilon": 0.03,
//    "dataset": PART + {"content": HASH}, "model": PART, "solver": PART, "attack": PART,
//    "gradient": PART or null, "source": {"checkpoint": KEY, "model": PART, "solver": PART}}
//
//   PART: {"plugin": ID, "fingerprint": HASH, "params": {...}}
//         {"members": [PART, ...], "names": [TEXT, ...]}  of an ensemble of attacks
//         {"mean": [PART, ...]}                           of several gradient solvers
//   of a probe also "gradients": {NAME: PART, ...}        solvers that its definition names

#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "wire/shared_spec.hpp"

namespace unmask::wire {

// --- Making parts --------------------------------------------------------------------------------

nlohmann::json plugin_part(const std::string& plugin,
                           const std::string& fingerprint,
                           nlohmann::json params);

/// A part that the manifest gives a name, after which what is measured is called.
struct NamedPart {
  std::string name;
  nlohmann::json part;
};
nlohmann::json ensemble_part(std::vector<NamedPart> members);

/// Give a probe's part one of the gradient solvers that its definition names.
void add_named_gradient(nlohmann::json& probe, const NamedPart& solver);

/// One solver as it is; several as a mean. None: null, the solver that answers the attack.
nlohmann::json gradient_part(std::vector<nlohmann::json> solvers);

// --- Reading them --------------------------------------------------------------------------------

bool is_ensemble(const nlohmann::json& part);

/// Of an ensemble. @throws nlohmann::json::exception when it is none
std::vector<NamedPart> members_of(const nlohmann::json& part);

/// The gradient solvers that a probe's definition names, by name.
std::vector<NamedPart> named_gradients_of(const nlohmann::json& probe);

/// The solvers of a gradient part; none: the solver that answers the attack.
std::vector<nlohmann::json> solvers_of(const nlohmann::json& gradient);

/// The key of the training whose network an evaluation works on; nullopt for a training.
std::optional<std::string> checkpoint_of(const Spec& spec);

/// Likewise of the network on which adversarial images are made, when it is another one.
std::optional<std::string> source_of(const Spec& spec);

/// Name of a solver among several: "gradient" when there is one, else "gradient.0", "gradient.1".
std::string part_name(const std::string& part, std::size_t index, std::size_t count);

/// nullptr when there is none of this name.
inline const nlohmann::json* find_member(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}
inline const nlohmann::json* find_member(const Spec& spec, const char* name) {
  return spec.find(name);
}

/// Calls visit(name, part) for every plugin of one part: of an ensemble its members, of a mean its
/// solvers ("attack.0", "attack.1"), of anything else the part itself under its own name.
template <class Json, class Visitor>
void for_each_plugin(const std::string& name, Json& part, Visitor&& visit) {
  static_assert(std::is_same_v<std::remove_const_t<Json>, nlohmann::json>);
  for (const char* list : {"members", "mean"}) {
    const auto found = part.find(list);
    if (found == part.end()) continue;
    for (std::size_t i = 0; i < found->size(); ++i) {
      visit(name + "." + std::to_string(i), found->at(i));
    }
    return;
  }
  visit(name, part);
}

/// Calls visit(name, kind, part) for every plugin of a specification.
///   name  where it stands: "model", "attack", "attack.1", "gradient.0", "source.solver",
///         "gradients.NAME": its name in Cell::locals and its role in the database
///   kind  of plugin: "model", "attack", "solver"
///   part  with "plugin", "fingerprint", "params"
/// @param spec  Spec or JSON
template <class Object, class Visitor>
void for_each_part(const Object& spec, Visitor&& visit) {
  const auto visit_part = [&](const auto& of, const char* name, const std::string& prefix) {
    const nlohmann::json* found = find_member(of, name);
    if (found == nullptr || !found->is_object()) return;
    const std::string kind = std::string(name) == "gradient" ? "solver" : name;
    for_each_plugin(prefix + name, *found, [&](const std::string& one, const nlohmann::json& part) {
      visit(one, kind, part);
    });
  };
  for (const char* name :
       {"dataset", "model", "objective", "solver", "gradient", "attack", "probe"}) {
    visit_part(spec, name, "");
  }
  if (const nlohmann::json* probe = find_member(spec, "probe")) {
    for (const NamedPart& solver : named_gradients_of(*probe)) {
      visit("gradients." + solver.name, std::string("solver"), solver.part);
    }
  }
  if (const nlohmann::json* source = find_member(spec, "source")) {
    for (const char* name : {"model", "solver"}) visit_part(*source, name, "source.");
  }
}

/// A part as plugins and host read it: with the paths that keys leave out.
/// @param locals  Cell::locals
/// @param name    of the part: "attack", "gradient", "source.model"
/// @throws DataError when a file is not the one any more that the key was made with
nlohmann::json with_locals(nlohmann::json part,
                           const nlohmann::json& locals,
                           const std::string& name);

}  // namespace unmask::wire
