// Definitions with "members": an attack that consists of other attacks of the manifest.

#include <algorithm>

#include "manifest/definitions.hpp"
#include "manifest/keys.hpp"
#include "manifest/text.hpp"
#include "text/article.hpp"

namespace unmask::manifest {

void Definitions::check_ensemble(const std::string& kind,
                                 const Node& merged,
                                 ResolvedDefinition& out) {
  const Node& members = *merged.find("members");
  if (kind != "attack") {
    reporter_.at_key(code::kUnknownKey,
                     members,
                     with_article(kind) + " has no \"members\"",
                     "only an attack can consist of others");
    return;
  }
  check_keys(merged, Scope::kDefinition, reporter_);
  for (const char* key : {"plugin", "params", "extends"}) {
    const Node* node = merged.find(key);
    if (node == nullptr) continue;
    reporter_.at_key(code::kParametersConflict,
                     *node,
                     "an ensemble consists of its \"members\", it has no " + in_quotes(key),
                     "its members are attacks as they are defined; an ensemble cannot be extended");
  }
  read_own_keys(kind, merged, out);
}

// The attacks that a name or a glob stands for. A glob passes over ensembles.
std::vector<std::size_t> Definitions::find_members(const Node& item,
                                                   const std::string& word,
                                                   const std::vector<bool>& is_ensemble,
                                                   const Kind& table,
                                                   const ResolvedDefinition& ensemble) {
  std::vector<std::size_t> out;
  if (is_glob(word)) {
    for (std::size_t i = 0; i < table.names.size(); ++i) {
      if (!is_ensemble[i] && glob_matches(word, table.names[i])) out.push_back(i);
    }
    if (out.empty()) {
      reporter_.at_value(code::kMatchesNothing,
                         item,
                         "no attack that could be a member matches " + in_quotes(word),
                         help("attack", word));
    }
    return out;
  }
  const auto found = table.index.find(word);
  if (found == table.index.end()) {
    reporter_.at_value(code::kUnknownName,
                       item,
                       "unknown attack " + in_quotes(word) + " as a member",
                       help("attack", word),
                       nearest(word, table.names));
  } else if (is_ensemble[found->second]) {
    const bool is_itself = word == ensemble.definition.name;
    reporter_.at_value(code::kWrongValue,
                       item,
                       is_itself ? "an ensemble cannot be a member of itself"
                                 : in_quotes(word) + " is an ensemble; members are single attacks",
                       is_itself ? "" : "name the members of " + in_quotes(word) + " instead");
  } else {
    out.push_back(found->second);
  }
  return out;
}

bool Definitions::share_batch_size(const Node& members,
                                   const std::vector<std::size_t>& chosen,
                                   const Kind& table) {
  const ResolvedDefinition& first = table.definitions[chosen.front()];
  for (const std::size_t i : chosen) {
    const ResolvedDefinition& member = table.definitions[i];
    if (!member.is_valid() || !first.is_valid()) return false;  // reported where it is defined
    // All members work on the batches that the ensemble is handed.
    if (member.definition.params.at("batch_size") == first.definition.params.at("batch_size")) {
      continue;
    }
    reporter_.at_value(code::kParametersConflict,
                       members,
                       "the members of an ensemble need the same \"batch_size\": " +
                           in_quotes(first.definition.name) + " has " +
                           first.definition.params.at("batch_size").dump() + ", " +
                           in_quotes(member.definition.name) + " has " +
                           member.definition.params.at("batch_size").dump(),
                       "the members take turns on the same samples");
    return false;
  }
  return true;
}

void Definitions::read_members(const Node& members,
                               const std::vector<bool>& is_ensemble,
                               const Kind& table,
                               ResolvedDefinition& out) {
  const std::size_t before = reporter_.count();
  if (!expect(members, Node::Kind::kArray, "\"members\"", reporter_)) return;
  if (members.items.empty()) {
    reporter_.at_value(code::kWrongValue, members, "\"members\" is an empty list");
  }
  std::vector<std::size_t> chosen;
  const auto is_chosen = [&](std::size_t i) {
    return std::find(chosen.begin(), chosen.end(), i) != chosen.end();
  };
  for (const Node& item : members.items) {
    if (!expect(item, Node::Kind::kString, "a member of an ensemble", reporter_)) continue;
    const bool is_negated = item.string.rfind('!', 0) == 0;
    // A list that begins with "!" begins with everything.
    if (is_negated && &item == &members.items.front()) {
      for (std::size_t i = 0; i < table.names.size(); ++i) {
        if (!is_ensemble[i]) chosen.push_back(i);
      }
    }
    const std::string word = is_negated ? item.string.substr(1) : item.string;
    const std::vector<std::size_t> found = find_members(item, word, is_ensemble, table, out);
    if (found.empty()) continue;  // reported
    if (is_negated) {
      const std::size_t gone = std::erase_if(chosen, [&](std::size_t i) {
        return std::find(found.begin(), found.end(), i) != found.end();
      });
      if (gone == 0) {
        reporter_.at_value(code::kMatchesNothing,
                           item,
                           in_quotes(item.string) + " takes nothing away",
                           "what it names is not among the members before it");
      }
      continue;
    }
    for (const std::size_t i : found) {
      if (!is_chosen(i)) {
        chosen.push_back(i);
      } else if (!is_glob(word)) {
        reporter_.at_value(code::kWrongValue, item, in_quotes(word) + " is a member already");
      }
    }
  }
  if (reporter_.count() != before) return;
  if (chosen.empty()) {
    reporter_.at_value(code::kMatchesNothing, members, "nothing is left of \"members\"");
    return;
  }

  if (!share_batch_size(members, chosen, table)) return;
  out.definition.params = nlohmann::json::object();
  for (const std::size_t i : chosen) {
    out.members.push_back(table.definitions[i]);
    out.definition.members.push_back(table.definitions[i].definition);
  }
}

}  // namespace unmask::manifest
