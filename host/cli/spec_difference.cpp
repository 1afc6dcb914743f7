#include "cli/spec_difference.hpp"

#include <map>
#include <set>

namespace unmask::cli {
namespace {

using nlohmann::json;

// As many characters of a hash as tell two apart.
constexpr std::size_t kDigits = 12;
constexpr std::size_t kWeightOfAPlugin = 1000;

const std::string kPlugin = ".plugin";
const std::string kFingerprint = ".fingerprint";

bool is_hash(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string shown(const json& value) {
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  if (is_hash(text)) return text.substr(0, kDigits);
  return text.starts_with("sha256:") ? text.substr(0, 7 + kDigits) : text;
}

// Leaves by name: "attack.params.steps". A list is a leaf unless it holds parts.
void collect(const json& value, const std::string& name, std::map<std::string, json>& leaves) {
  const bool has_parts = value.is_array() && !value.empty() && value.front().is_object();
  if ((value.is_object() && !value.empty()) || has_parts) {
    for (const auto& [key, member] : value.items()) {
      collect(member, name.empty() ? key : name + "." + key, leaves);
    }
  } else if (!value.is_null() && !value.is_object()) {
    leaves[name] = value;
  }
}

std::string without_params(std::string name) {
  const std::string params = ".params.";
  const auto at = name.find(params);
  return at == std::string::npos ? name : name.replace(at, params.size(), ".");
}

// "attack" of "attack.params.steps", of "attack.fingerprint".
std::string part_of(const std::string& name) {
  for (const std::string& end : {std::string(".params."), kFingerprint}) {
    if (const auto at = name.find(end); at != std::string::npos) return name.substr(0, at);
  }
  return "";
}

}  // namespace

std::vector<Difference> differences(const json& before, const json& after) {
  std::map<std::string, json> old_leaves, new_leaves;
  collect(before, "", old_leaves);
  collect(after, "", new_leaves);
  std::set<std::string> names;
  for (const auto& [name, value] : old_leaves) names.insert(name);
  for (const auto& [name, value] : new_leaves) names.insert(name);
  const auto value_in = [](const std::map<std::string, json>& leaves, const std::string& name) {
    const auto found = leaves.find(name);
    return found == leaves.end() ? json() : found->second;
  };
  std::vector<Difference> result;
  for (const std::string& name : names) {
    const json was = value_in(old_leaves, name), is = value_in(new_leaves, name);
    if (was == is) continue;
    const std::string part = part_of(name);
    const json plugin = value_in(new_leaves, part + kPlugin);
    if (!part.empty() && value_in(old_leaves, part + kPlugin) != plugin) continue;
    std::string component = without_params(name);
    if (name.ends_with(kFingerprint)) component = "sources of " + part + " " + shown(plugin);
    if (name.ends_with(kPlugin)) component = name.substr(0, name.size() - kPlugin.size());
    if (name.ends_with(".content")) component = "content of the data";
    result.push_back({component, was.is_null() ? "" : shown(was), is.is_null() ? "" : shown(is)});
    if (name.ends_with(kPlugin)) result.back().component += " (plugin)";
  }
  return result;
}

std::string to_text(const std::vector<Difference>& list) {
  std::string text;
  for (const Difference& one : list) {
    const std::string before = one.before.empty() ? "(none)" : one.before;
    const std::string after = one.after.empty() ? "(none)" : one.after;
    text += (text.empty() ? "" : ", ") + one.component + ": " + before + " -> " + after;
  }
  return text;
}

std::size_t distance(const std::vector<Difference>& list) {
  std::size_t sum = 0;
  for (const Difference& one : list) {
    sum += one.component.ends_with(" (plugin)") ? kWeightOfAPlugin : 1;
  }
  return sum;
}

}  // namespace unmask::cli
