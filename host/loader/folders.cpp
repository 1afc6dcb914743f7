#include "loader/folders.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <system_error>

#include "unmask/errors.hpp"

namespace unmask::loader {
namespace fs = std::filesystem;
namespace {

// One name per folder or file, however it is reached; a name that leads nowhere stands for itself.
fs::path identity(const fs::path& path) {
  std::error_code error;
  fs::path canonical = fs::canonical(path, error);
  return error ? fs::absolute(path).lexically_normal() : canonical;
}

void require_folder(const fs::path& folder, const std::string& named_by) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return;
  throw PluginError("plugin folder '" + folder.string() + "' (" + named_by +
                    ") is not a folder; correct or remove it");
}

}  // namespace

std::vector<fs::path> plugin_folders(const std::vector<fs::path>& options,
                                     const char* environment,
                                     const fs::path& executable) {
  std::vector<fs::path> folders;
  std::set<fs::path> seen;
  const auto add = [&](const fs::path& folder) {
    const fs::path known = identity(folder);
    if (seen.insert(known).second) folders.push_back(known);
  };
  for (const fs::path& folder : options) {
    require_folder(folder, "--plugin-dir");
    add(folder);
  }
  std::string_view rest = environment == nullptr ? "" : environment;
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    if (entry.empty()) continue;
    require_folder(entry, kPluginPathVariable);
    add(entry);
  }
  add(identity(executable).parent_path().parent_path() / "lib" / "unmask" / "plugins");
  return folders;
}

std::vector<fs::path> list_libraries(const std::vector<fs::path>& places) {
  std::vector<fs::path> files;
  std::set<fs::path> seen;
  for (const fs::path& folder : places) {
    std::error_code error;
    if (!fs::exists(folder, error)) continue;
    if (!fs::is_directory(folder, error)) {
      if (seen.insert(identity(folder)).second) files.push_back(folder);
      continue;
    }
    std::vector<fs::path> here;
    try {
      for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() == ".so" && !entry.is_directory(error)) {
          here.push_back(entry.path());
        }
      }
    } catch (const fs::filesystem_error& problem) {
      throw PluginError("plugin folder '" + folder.string() +
                        "' cannot be read: " + problem.code().message());
    }
    std::sort(here.begin(), here.end());
    for (fs::path& file : here) {
      if (seen.insert(identity(file)).second) files.push_back(std::move(file));
    }
  }
  return files;
}

}  // namespace unmask::loader
