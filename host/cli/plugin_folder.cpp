#include "cli/plugin_folder.hpp"

#include <algorithm>
#include <cctype>
#include <iostream>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "catalog/catalog.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;

// What templates say in place of the plugin's id, its class, its kind, and where unmask is.
constexpr std::string_view kIdWord = "new_plugin";
constexpr std::string_view kClassWord = "NewPlugin";
constexpr std::string_view kKindWord = "new_kind";
constexpr std::string_view kPrefixWord = "PREFIX_OF_UNMASK";

void expect_kind(const std::string& kind) {
  const std::vector<std::string> kinds(std::begin(catalog::kKinds), std::end(catalog::kKinds));
  if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return;
  throw UsageError("there is no kind of plugin \"" + kind + "\"\n" +
                   words::help_for_unknown(kind, kinds, "kinds"));
}

void expect_id(const std::string& id) {
  const bool is_lower_snake = !id.empty() && id.front() >= 'a' && id.front() <= 'z' &&
                              std::all_of(id.begin(), id.end(), [](char c) {
                                return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                              });
  if (is_lower_snake) return;
  throw UsageError("the id \"" + id +
                   "\" is not lower_snake_case: a letter, then letters, digits and underscores");
}

// "sign_steps" -> "SignSteps"
std::string class_name(const std::string& id) {
  std::string name;
  bool starts_word = true;
  for (const char c : id) {
    if (c == '_') {
      starts_word = true;
    } else {
      const int letter = static_cast<unsigned char>(c);
      name.push_back(starts_word ? static_cast<char>(std::toupper(letter)) : c);
      starts_word = false;
    }
  }
  return name;
}

std::string replaced(std::string text, std::string_view word, const std::string& by) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at)) {
    text.replace(at, word.size(), by);
    at += by.size();
  }
  return text;
}

// As it stands between the quotes of a JSON string.
std::string json_text(const std::string& text) {
  const std::string quoted =
      nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

int new_plugin(const fs::path& executable,
               const std::string& kind,
               const std::string& id,
               const fs::path& folder) {
  expect_kind(kind);
  expect_id(id);
  std::error_code error;
  if (fs::exists(folder) && !(fs::is_directory(folder) && fs::is_empty(folder, error))) {
    throw UsageError("'" + folder.string() + "' exists and is not an empty folder; name another " +
                     "one with --dir");
  }
  const fs::path prefix = executable.parent_path().parent_path();
  const fs::path templates = prefix / "share/unmask/templates";
  const std::vector<std::pair<std::string_view, std::string>> words = {
      {kIdWord, id},
      {kClassWord, class_name(id)},
      {kKindWord, kind},
      {kPrefixWord, json_text(prefix.string())}};
  std::vector<std::string> written;
  for (const fs::path& source : {templates / "common", templates / kind}) {
    if (!fs::is_directory(source)) {
      throw PluginError("this installation has no templates: there is no folder '" +
                        source.string() + "'");
    }
    for (const fs::directory_entry& entry : fs::directory_iterator(source)) {
      std::string name = entry.path().filename().string();
      std::string text = base::read_file(entry.path());
      for (const auto& [word, by] : words) {
        name = replaced(std::move(name), word, by);
        text = replaced(std::move(text), word, by);
      }
      base::write_file_atomically(folder / name, text);
      written.push_back(std::move(name));
    }
  }
  std::sort(written.begin(), written.end());
  std::cout << "'" << folder.string() << "' holds the " << kind << " " << id << ":\n";
  for (const std::string& name : written) std::cout << "  " << name << "\n";
  std::cout << "\nBuild it and try what every " << kind << " must keep:\n"
            << "  cd '" << folder.string() << "' && cmake --workflow --preset default\n"
            << "Use it in a study:\n"
            << "  unmask run study.json --plugin-dir build/lib/unmask/plugins\n";
  return 0;
}

}  // namespace unmask::cli
