#include "engine/name_table.hpp"

#include <algorithm>
#include <set>

#include "base/files.hpp"
#include "text/diagnostics.hpp"
#include "text/globs.hpp"
#include "text/nodes.hpp"
#include "text/source.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

using words::Node;

std::ptrdiff_t stars(const std::string& text) {
  return std::count(text.begin(), text.end(), '*');
}

}  // namespace

NameTable NameTable::read(const std::filesystem::path& file) {
  words::Source source(file.string(), base::read_file(file));
  words::Reporter reporter;
  NameTable table;
  const auto check = [&](const Node& root) {
    if (!words::expect(root, Node::Kind::kObject, "a table of names", reporter)) return;
    for (const words::Member& member : root.members) {
      const Node& value = member.value;
      if (stars(member.key) > 1) {
        reporter.at_key(words::code::kWrongValue,
                        value,
                        "a name may hold one \"*\"",
                        "write a rule for each case");
        continue;
      }
      if (value.is(Node::Kind::kNull)) {
        table.rules_.push_back({member.key, std::nullopt});
        continue;
      }
      if (!words::expect(value,
                         Node::Kind::kString,
                         "the name in the model (or null: leave the tensor out)",
                         reporter)) {
        continue;
      }
      if (stars(value.string) != stars(member.key)) {
        reporter.at_value(
            words::code::kWrongValue,
            value,
            "both sides of a rule must have the same number of \"*\"",
            "what the \"*\" on the left stands for is put in place of the one on the right");
        continue;
      }
      table.rules_.push_back({member.key, value.string});
    }
  };
  if (const std::optional<Node> root = source.parse(reporter.raw())) check(*root);
  const std::vector<words::Diagnostic> errors = reporter.take({source.name()});
  if (errors.empty()) return table;
  std::string text = "the table of names has errors";
  for (const words::Diagnostic& error : errors) {
    text += "\n" + words::to_text(error);
    while (text.ends_with('\n')) text.pop_back();
  }
  throw ManifestError(text);
}

const NameTable::Rule* NameTable::rule_for(const std::string& file_name) const {
  const auto found = std::find_if(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return words::glob_matches(rule.from, file_name);
  });
  return found == rules_.end() ? nullptr : &*found;
}

std::optional<std::string> NameTable::model_name(const std::string& file_name) const {
  const Rule* const rule = rule_for(file_name);
  if (rule == nullptr) return file_name;
  if (!rule->to) return std::nullopt;
  std::string name = *rule->to;
  const std::size_t star = rule->from.find('*');
  if (star == std::string::npos) return name;
  const std::size_t length = file_name.size() - (rule->from.size() - 1);
  return name.replace(name.find('*'), 1, file_name.substr(star, length));
}

std::vector<std::string> NameTable::unused(const std::vector<std::string>& file_names) const {
  std::set<const Rule*> used;
  for (const std::string& name : file_names) used.insert(rule_for(name));
  std::vector<std::string> result;
  for (const Rule& rule : rules_) {
    if (!used.contains(&rule)) result.push_back(rule.from);
  }
  return result;
}

}  // namespace unmask::engine
