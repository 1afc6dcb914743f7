#pragma once
// `unmask plugins new`: a folder with everything that a plugin of one's own consists of.

#include <filesystem>
#include <string>

namespace unmask::cli {

/// Write the folder: source, page, CMake files, example parameters, a small study. What is written
/// stands in share/unmask/templates, in valid C++ with the id new_plugin and the class NewPlugin.
/// @param executable  this program; templates and the prefix of the installation are beside it
/// @param folder      must not exist, or be empty
/// @throws UsageError for a kind or an id that cannot be, or a folder that is in use
int new_plugin(const std::filesystem::path& executable,
               const std::string& kind,
               const std::string& id,
               const std::filesystem::path& folder);

}  // namespace unmask::cli
