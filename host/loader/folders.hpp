#pragma once
// Where plugins are looked for.

#include <filesystem>
#include <string>
#include <vector>

namespace unmask::loader {

/// Environment variable that names plugin folders, separated by ':'.
inline constexpr const char* kPluginPathVariable = "UNMASK_PLUGIN_PATH";

/// The folders to search, in this order and each once: those of the option --plugin-dir, those of
/// the environment variable, and `../lib/unmask/plugins` beside the executable (an installation and
/// a build folder look alike).
/// @param options      values of --plugin-dir
/// @param environment  value of UNMASK_PLUGIN_PATH; nullptr or empty: not set
/// @param executable   this program's file
/// @throws PluginError when an option or the variable names what is not a folder
std::vector<std::filesystem::path> plugin_folders(const std::vector<std::filesystem::path>& options,
                                                  const char* environment,
                                                  const std::filesystem::path& executable);

/// Of folders all entries *.so that are not folders themselves, sorted by name; of a library its
/// file: place by place, every file once however it is reached. A folder that does not exist holds
/// nothing. @throws PluginError when a folder cannot be read
std::vector<std::filesystem::path> list_libraries(const std::vector<std::filesystem::path>& places);

}  // namespace unmask::loader
