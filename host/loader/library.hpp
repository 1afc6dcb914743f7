#pragma once
// A plugin library that passed every check and is loaded, for ever.

#include <filesystem>
#include <optional>
#include <string>

#include "catalog/catalog.hpp"
#include "unmask/plugin.hpp"

namespace unmask::loader {

/// The tag that plugins must carry to fit the code that this is compiled into.
std::string host_build_tag();

/// One sentence without a subject that names every field in which a header differs from what this
/// host understands, and how to rebuild; nullopt when it fits.
std::optional<std::string> header_violation(const PluginHeader& header);

/// A loaded plugin. Copies share the library, which is never unloaded: autograd nodes, deleters and
/// exception types of a plugin outlive every object that the host knows of.
class PluginLibrary {
 public:
  /// Check a file and load it.
  /// @throws PluginError "FILE REASON", one sentence
  static PluginLibrary open(const std::filesystem::path& file);

  /// The same without an exception: nullopt, and the sentence without the file's name in `reason`.
  static std::optional<PluginLibrary> try_open(const std::filesystem::path& file,
                                               std::string& reason);

  const catalog::PluginRecord& record() const noexcept { return record_; }

  /// A new instance as a pointer to the base class of its kind; owned by the caller.
  /// @param context  ModelContext for models, else nullptr
  /// @throws Error   what the plugin threw, with "attack pgd: " in front; PluginError when that was
  ///                 no error of unmask
  void* create(const Params& params, const void* context) const;

 private:
  PluginLibrary(catalog::PluginRecord record, const PluginDescriptor* descriptor)
      : record_(std::move(record)), descriptor_(descriptor) {}

  catalog::PluginRecord record_;
  const PluginDescriptor* descriptor_ = nullptr;  // in the library, which stays
};

}  // namespace unmask::loader
