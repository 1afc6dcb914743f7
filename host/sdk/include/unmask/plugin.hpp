#pragma once
// How a plugin presents itself. A plugin is one class derived from Method, Model, Attack, Dataset,
// Objective or Probe with a static info(), and one line:
//
//   UNMASK_PLUGIN(Pgd)
//
// Its kind follows from the base class; its id and the fingerprint of its sources come from
// unmask_add_plugin() in CMake. The line exports one symbol, a header of frozen layout; see docs.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include <torch/version.h>

#include "unmask/attack.hpp"
#include "unmask/dataset.hpp"
#include "unmask/errors.hpp"
#include "unmask/export.hpp"
#include "unmask/model.hpp"
#include "unmask/objective.hpp"
#include "unmask/params.hpp"
#include "unmask/probe.hpp"
#include "unmask/solver.hpp"
#include "unmask/tensor.hpp"
#include "unmask/version.hpp"

namespace unmask {
inline namespace v1 {

/// What a plugin says of itself; filled by its static info().
struct PluginInfo {
  std::string version;                      ///< of the plugin, "1.0"
  std::string summary;                      ///< one line for `unmask plugins list`
  std::string source;                       ///< paper, book, equation
  std::vector<ParamSpec> params = {};       ///< empty: none
  std::set<std::string> capabilities = {};  ///< solver: "adaptive"; model: "ode"; see the guide
};

/// The descriptor behind the header. Its layout belongs to an SDK epoch.
struct PluginDescriptor {
  const char* kind;
  const char* id;
  const char* fingerprint;
  PluginInfo (*info)();
  /// A new instance, as a pointer to the base class of its kind, owned by the caller.
  /// @param context  ModelContext for models, else nullptr
  void* (*create)(const Params& params, const void* context);
};

/// The exported symbol `unmask_plugin`. This layout never changes, in any epoch, so that every host
/// can read every plugin's header far enough to refuse it with a reason.
struct PluginHeader {
  char magic[8];              ///< "UNMASKPL"
  std::uint32_t header_size;  ///< sizeof(PluginHeader)
  std::uint32_t sdk_epoch;
  std::uint32_t sdk_minor;
  std::uint32_t torch_version;     ///< major * 10000 + minor * 100 + patch, as compiled
  std::uint32_t tensor_impl_size;  ///< sizeof(c10::TensorImpl): proves the LibTorch headers
  std::uint32_t descriptor_size;   ///< sizeof(PluginDescriptor)
  const char* build_tag;           ///< also found in the file, before it is loaded
  const PluginDescriptor* (*descriptor)();
};

namespace detail {

template <class T>
constexpr const char* kind_of() {
  if constexpr (std::is_base_of_v<Method, T>)
    return "solver";
  else if constexpr (std::is_base_of_v<Model, T>)
    return "model";
  else if constexpr (std::is_base_of_v<Attack, T>)
    return "attack";
  else if constexpr (std::is_base_of_v<Dataset, T>)
    return "dataset";
  else if constexpr (std::is_base_of_v<Objective, T>)
    return "objective";
  else if constexpr (std::is_base_of_v<Probe, T>)
    return "probe";
  else
    static_assert(sizeof(T) == 0,
                  "a plugin derives from Method, Model, Attack, Dataset, Objective or Probe");
}

template <class T>
void* create_plugin(const Params& params, const void* context) {
  if constexpr (std::is_base_of_v<Model, T>) {
    return static_cast<Model*>(new T(params, *static_cast<const ModelContext*>(context)));
  } else {
    (void)context;
    if constexpr (std::is_base_of_v<Method, T>)
      return static_cast<Method*>(new T(params));
    else if constexpr (std::is_base_of_v<Attack, T>)
      return static_cast<Attack*>(new T(params));
    else if constexpr (std::is_base_of_v<Dataset, T>)
      return static_cast<Dataset*>(new T(params));
    else if constexpr (std::is_base_of_v<Objective, T>)
      return static_cast<Objective*>(new T(params));
    else
      return static_cast<Probe*>(new T(params));
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace unmask

#define UNMASK_STRINGIFY_(x) #x
#define UNMASK_STRINGIFY(x) UNMASK_STRINGIFY_(x)
#if defined(__clang__)
#define UNMASK_COMPILER "clang-" UNMASK_STRINGIFY(__clang_major__)
#else
#define UNMASK_COMPILER "gcc-" UNMASK_STRINGIFY(__GNUC__)
#endif
#ifdef _GLIBCXX_USE_CXX11_ABI
#define UNMASK_CXX11_ABI UNMASK_STRINGIFY(_GLIBCXX_USE_CXX11_ABI)
#else
#define UNMASK_CXX11_ABI "none"
#endif

/// All that must be equal in host and plugin, in a form that can be found in the file's bytes.
#define UNMASK_BUILD_TAG                                                                         \
  "@unmask-build-tag:epoch=" UNMASK_STRINGIFY(                                                   \
      UNMASK_SDK_EPOCH) ";compiler=" UNMASK_COMPILER ";cxx11_abi=" UNMASK_CXX11_ABI              \
                        ";libtorch=" UNMASK_STRINGIFY(TORCH_VERSION_MAJOR) "." UNMASK_STRINGIFY( \
                            TORCH_VERSION_MINOR) "." UNMASK_STRINGIFY(TORCH_VERSION_PATCH) "@"

#ifndef UNMASK_PLUGIN_FINGERPRINT
#if __has_include("unmask_fingerprint.hpp")
#include "unmask_fingerprint.hpp"
#endif
#endif

/// Export `Class` as the plugin of this library.
#define UNMASK_PLUGIN(...)                                                            \
  namespace {                                                                         \
  const ::unmask::PluginDescriptor* unmask_descriptor() {                             \
    static constexpr ::unmask::PluginDescriptor kDescriptor = {                       \
        ::unmask::detail::kind_of<__VA_ARGS__>(),                                     \
        UNMASK_PLUGIN_ID,                                                             \
        UNMASK_PLUGIN_FINGERPRINT,                                                    \
        &__VA_ARGS__::info,                                                           \
        &::unmask::detail::create_plugin<__VA_ARGS__>};                               \
    return &kDescriptor;                                                              \
  }                                                                                   \
  }                                                                                   \
  extern "C" __attribute__((visibility("default"),                                    \
                            used)) constexpr ::unmask::PluginHeader unmask_plugin = { \
      {'U', 'N', 'M', 'A', 'S', 'K', 'P', 'L'},                                       \
      sizeof(::unmask::PluginHeader),                                                 \
      ::unmask::kSdkEpoch,                                                            \
      ::unmask::kSdkMinor,                                                            \
      TORCH_VERSION_MAJOR * 10000 + TORCH_VERSION_MINOR * 100 + TORCH_VERSION_PATCH,  \
      sizeof(c10::TensorImpl),                                                        \
      sizeof(::unmask::PluginDescriptor),                                             \
      UNMASK_BUILD_TAG,                                                               \
      &unmask_descriptor};
