#include "loader/trust.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "text/shell_words.hpp"

namespace unmask::loader {
namespace {

namespace fs = std::filesystem;

bool is_open_to_all(const struct stat& facts) {
  return (facts.st_mode & S_IWOTH) != 0;
}

bool is_ours(const struct stat& facts) {
  return facts.st_uid == 0 || facts.st_uid == ::geteuid();
}

// What is wrong with a name and the folder that holds it.
std::optional<std::string> distrust_name(const fs::path& name) {
  const fs::path folder = name.parent_path();
  struct stat of_folder {};
  struct stat of_name {};
  if (::stat(folder.c_str(), &of_folder) != 0 || ::lstat(name.c_str(), &of_name) != 0) {
    return std::nullopt;  // loading will say what is wrong
  }
  if (!is_open_to_all(of_folder)) return std::nullopt;
  if ((of_folder.st_mode & S_ISVTX) == 0) {
    return "lies in the folder '" + folder.string() +
           "', where everybody may exchange it; it is loaded after: chmod o-w " +
           words::shell_word(folder.string());
  }
  if (is_ours(of_name)) return std::nullopt;
  return "lies in the folder '" + folder.string() +
         "', where everybody may put files, and belongs to user " + std::to_string(of_name.st_uid) +
         "; copy it to a folder of your own";
}

}  // namespace

std::optional<std::string> distrust(const fs::path& library) {
  std::error_code error;
  const fs::path named = fs::absolute(library, error);
  const fs::path real = fs::canonical(library, error);
  if (error) return std::nullopt;  // loading will say what is wrong
  struct stat facts {};
  if (::stat(real.c_str(), &facts) == 0 && is_open_to_all(facts)) {
    return "may be written by everybody; it is loaded after: chmod o-w " +
           words::shell_word(real.string());
  }
  for (const fs::path& name : std::set<fs::path>{named, real}) {
    if (auto reason = distrust_name(name)) return reason;
  }
  return std::nullopt;
}

std::vector<catalog::PluginRefusal> take_distrusted(std::vector<fs::path>& files,
                                                    const char* allowed) {
  std::vector<catalog::PluginRefusal> refusals;
  if (allowed != nullptr && std::string_view(allowed) == "1") return refusals;
  std::erase_if(files, [&](const fs::path& file) {
    auto reason = distrust(file);
    if (reason) refusals.push_back({file, std::move(*reason)});
    return reason.has_value();
  });
  return refusals;
}

}  // namespace unmask::loader
