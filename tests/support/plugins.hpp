#pragma once
// Makes plugins of any kind from the libraries of the build tree, without the host's loader: tests
// that use it link unmask_sdk and depend on the plugins' targets.
//
//   auto dopri5 = test::make_plugin<Method>("solver", "dopri5");
//   auto net = test::make_model("resnet", {{"channels", std::int64_t{4}}}, {3, 32, 32, 10});

#include <dlfcn.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "unmask/plugin.hpp"

namespace unmask::test {

/// Where the build tree keeps a plugin's library.
inline std::filesystem::path plugin_file(std::string_view kind, std::string_view id) {
  return std::filesystem::path(UNMASK_BINARY_DIR) / "lib/unmask/plugins" /
         (std::string(kind) + "_" + std::string(id) + ".so");
}

/// True when the build tree has this plugin.
inline bool has_plugin(std::string_view kind, std::string_view id) {
  return std::filesystem::exists(plugin_file(kind, id));
}

/// The descriptor of a plugin. The library stays loaded until the process ends.
inline const PluginDescriptor& plugin_descriptor(std::string_view kind, std::string_view id) {
  const std::string file = plugin_file(kind, id).string();
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(::dlerror());
  const void* const symbol = ::dlsym(library, "unmask_plugin");
  if (symbol == nullptr) throw std::runtime_error(file + " has no symbol unmask_plugin");
  const PluginDescriptor* const descriptor = static_cast<const PluginHeader*>(symbol)->descriptor();
  if (descriptor->kind != kind || descriptor->id != id) {
    throw std::runtime_error(file + " holds " + descriptor->kind + " " + descriptor->id);
  }
  return *descriptor;
}

/// An instance of a plugin, with the given parameters and defaults for the others.
template <class Base>
std::unique_ptr<Base> make_plugin(const std::string& kind,
                                  const std::string& id,
                                  std::map<std::string, ParamValue> given = {},
                                  const ModelContext* context = nullptr) {
  const PluginDescriptor& descriptor = plugin_descriptor(kind, id);
  const Params params(descriptor.info().params, std::move(given));
  return std::unique_ptr<Base>(static_cast<Base*>(descriptor.create(params, context)));
}

inline std::unique_ptr<Model> make_model(const std::string& id,
                                         std::map<std::string, ParamValue> given,
                                         const ModelContext& context) {
  return make_plugin<Model>("model", id, std::move(given), &context);
}

}  // namespace unmask::test
