#include "manifest/paths.hpp"

#include <algorithm>
#include <cstdlib>

#include "manifest/keys.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest {

Paths::Paths(const Node* paths,
             std::map<const Source*, std::filesystem::path> folders,
             Reporter& reporter)
    : folders_(std::move(folders)), reporter_(reporter) {
  if (paths == nullptr || !expect(*paths, Node::Kind::kObject, "\"paths\"", reporter)) return;
  for (const Member& member : paths->members) {
    if (is_ignored_key(member.key)) continue;
    if (!is_valid_name(member.key)) {
      reporter.at_key(
          code::kBadName,
          member.value,
          in_quotes(member.key) + " cannot be the name of a path",
          "use letters, digits, '.', '_', '+' and '-', beginning with a letter or digit");
      continue;
    }
    if (!expect(member.value, Node::Kind::kString, "a path", reporter)) continue;
    named_.emplace(member.key, &member.value);
  }
  for (const auto& [name, node] : named_) {
    std::vector<std::string> chain{name};
    substitute(*node, chain);
  }
}

std::string Paths::substitute(const Node& value, std::vector<std::string>& chain) {
  std::string out;
  const std::string& text = value.string;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find("${", at);
    out += text.substr(at, open - at);
    if (open == std::string::npos) break;
    const std::size_t close = text.find('}', open);
    const std::string whole =
        close == std::string::npos ? text.substr(open) : text.substr(open, close + 1 - open);
    const std::string word = close == std::string::npos ? "" : whole.substr(2, whole.size() - 3);
    at = open + whole.size();
    if (word.rfind("env:", 0) == 0 && word.size() > 4) {
      // An empty variable is as useless as none, and "/cifar10" would be a surprising place to
      // look.
      const char* environment = std::getenv(word.c_str() + 4);
      out += environment != nullptr && *environment != '\0' ? environment : whole;
      continue;
    }
    if (word.rfind("paths.", 0) == 0) {
      const std::string name = word.substr(6);
      const auto found = named_.find(name);
      if (found == named_.end()) {
        std::vector<std::string> names;
        for (const auto& [known, node] : named_) names.push_back(known);
        const std::string help = help_for_unknown(name, names, "defined in \"paths\"");
        reporter_.at_value(code::kUnknownName,
                           value,
                           "unknown path " + in_quotes(name),
                           help.empty() ? "the manifest has no \"paths\"" : help,
                           nearest(name, names));
        continue;
      }
      if (std::find(chain.begin(), chain.end(), name) != chain.end()) {
        chain.push_back(name);
        if (!in_cycle_.contains(name)) {
          reporter_.at_value(code::kCycle, value, "\"paths\" form a cycle: " + chain_text(chain));
        }
        in_cycle_.insert(chain.begin(), chain.end());
        chain.pop_back();
        continue;
      }
      chain.push_back(name);
      out += substitute(*found->second, chain);
      chain.pop_back();
      continue;
    }
    reporter_.at_value(code::kPlaceholder,
                       value,
                       in_quotes(whole) + " is no placeholder of a path",
                       "allowed here: ${paths.NAME} and ${env:NAME}");
  }
  return out;
}

std::string Paths::resolve(const Node& value) {
  std::vector<std::string> chain;
  std::string text = substitute(value, chain);
  const std::filesystem::path path = text;
  if (text.empty() || path.is_absolute() || text.rfind("${", 0) == 0) return text;
  // A relative path refers to the file in which it is written: the "paths" entry, if it begins
  // there.
  const Source* source = value.place.source;
  if (value.string.rfind("${paths.", 0) == 0) {
    const std::string name = value.string.substr(8, value.string.find('}') - 8);
    if (const auto found = named_.find(name); found != named_.end()) {
      source = found->second->place.source;
    }
  }
  return (folders_.at(source) / path).lexically_normal().string();
}

}  // namespace unmask::manifest
