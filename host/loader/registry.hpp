#pragma once
// Makes instances of plugins by kind and id: what a worker uses. A library is loaded when it is
// first asked for, so a worker carries only the plugins of its cells.

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "loader/library.hpp"
#include "unmask/attack.hpp"
#include "unmask/dataset.hpp"
#include "unmask/model.hpp"
#include "unmask/objective.hpp"
#include "unmask/probe.hpp"
#include "unmask/solver.hpp"

namespace unmask::loader {

/// Not thread-safe: one per worker. Parameters are canonical JSON objects of a definition; names of
/// the host's own options in them (step_size of a solver, batch_size of an attack) are left alone.
/// Every create_* throws PluginError when no place offers the plugin or its library is refused,
/// ParamError for wrong parameters, and whatever the plugin's constructor throws, with
/// "attack pgd: " in front.
class Registry {
 public:
  /// @param places  libraries, and folders that are searched for libraries. The host names exactly
  ///                those that its catalog took, so that a worker loads nothing else. None is loaded
  ///                yet.
  explicit Registry(const std::vector<std::filesystem::path>& places);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  std::unique_ptr<Method> create_solver(std::string_view id, const nlohmann::json& params);
  std::unique_ptr<Model> create_model(std::string_view id,
                                      const nlohmann::json& params,
                                      const ModelContext& context);
  std::unique_ptr<Attack> create_attack(std::string_view id, const nlohmann::json& params);
  std::unique_ptr<Dataset> create_dataset(std::string_view id, const nlohmann::json& params);
  std::unique_ptr<Objective> create_objective(std::string_view id, const nlohmann::json& params);
  std::unique_ptr<Probe> create_probe(std::string_view id, const nlohmann::json& params);

  /// What a plugin says of itself; loads it.
  const catalog::PluginRecord& record(std::string_view kind, std::string_view id);

 private:
  const PluginLibrary& library(std::string_view kind, std::string_view id);
  template <class Base>
  std::unique_ptr<Base> create(std::string_view kind,
                               std::string_view id,
                               const nlohmann::json& params,
                               const void* context);
  const PluginLibrary* open(std::size_t candidate);

  struct Candidate {
    std::filesystem::path file;
    std::unique_ptr<PluginLibrary> library;
    std::string refusal;  // why it cannot be used, once that is known
  };
  std::vector<Candidate> candidates_;
};

}  // namespace unmask::loader
