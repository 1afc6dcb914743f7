#include "loader/registry.hpp"

#include <set>

#include "catalog/host_options.hpp"
#include "catalog/params_json.hpp"
#include "loader/folders.hpp"
#include "unmask/errors.hpp"

namespace unmask::loader {

Registry::Registry(const std::vector<std::filesystem::path>& places) {
  for (std::filesystem::path& file : list_libraries(places)) {
    candidates_.push_back({std::move(file), nullptr, ""});
  }
}

Registry::~Registry() = default;

const PluginLibrary* Registry::open(std::size_t candidate) {
  Candidate& c = candidates_[candidate];
  if (!c.library && c.refusal.empty()) {
    if (auto library = PluginLibrary::try_open(c.file, c.refusal)) {
      c.library = std::make_unique<PluginLibrary>(*std::move(library));
    }
  }
  return c.library.get();
}

const PluginLibrary& Registry::library(std::string_view kind, std::string_view id) {
  // unmask_add_plugin() names a file after kind and id. Others come second, so that a worker does
  // not load what it does not need; the host's catalog prefers them, too.
  const std::string stem = std::string(kind) + "_" + std::string(id);
  for (const bool wants_stem : {true, false}) {
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if ((candidates_[i].file.stem() == stem) != wants_stem) continue;
      const PluginLibrary* found = open(i);
      if (found != nullptr && found->record().kind == kind && found->record().id == id) {
        return *found;
      }
    }
  }
  std::string message =
      std::string(kind) + " " + std::string(id) + ": no plugin library of this host offers it";
  for (const Candidate& c : candidates_) {
    if (!c.refusal.empty() && c.file.stem() == stem) {
      message += "; '" + c.file.string() + "' " + c.refusal;
    }
  }
  throw PluginError(message);
}

const catalog::PluginRecord& Registry::record(std::string_view kind, std::string_view id) {
  return library(kind, id).record();
}

template <class Base>
std::unique_ptr<Base> Registry::create(std::string_view kind,
                                       std::string_view id,
                                       const nlohmann::json& params,
                                       const void* context) {
  const PluginLibrary& found = library(kind, id);
  const catalog::PluginRecord& plugin = found.record();
  std::set<std::string> host_names;
  for (const ParamSpec& option : catalog::host_options(plugin.kind, plugin.capabilities)) {
    host_names.insert(option.name);
  }
  Params typed;
  try {
    typed = catalog::params_from_json(plugin.params, params, host_names);
  } catch (Error& problem) {
    problem.add_context(plugin.kind + " " + plugin.id);
    throw;
  }
  return std::unique_ptr<Base>(static_cast<Base*>(found.create(typed, context)));
}

std::unique_ptr<Method> Registry::create_solver(std::string_view id, const nlohmann::json& params) {
  return create<Method>("solver", id, params, nullptr);
}

std::unique_ptr<Model> Registry::create_model(std::string_view id,
                                              const nlohmann::json& params,
                                              const ModelContext& context) {
  return create<Model>("model", id, params, &context);
}

std::unique_ptr<Attack> Registry::create_attack(std::string_view id, const nlohmann::json& params) {
  return create<Attack>("attack", id, params, nullptr);
}

std::unique_ptr<Dataset> Registry::create_dataset(std::string_view id,
                                                  const nlohmann::json& params) {
  return create<Dataset>("dataset", id, params, nullptr);
}

std::unique_ptr<Objective> Registry::create_objective(std::string_view id,
                                                      const nlohmann::json& params) {
  return create<Objective>("objective", id, params, nullptr);
}

std::unique_ptr<Probe> Registry::create_probe(std::string_view id, const nlohmann::json& params) {
  return create<Probe>("probe", id, params, nullptr);
}

}  // namespace unmask::loader
