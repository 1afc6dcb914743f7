#include "text/nodes.hpp"

#include <algorithm>
#include <unordered_map>

#include <nlohmann/json.hpp>

namespace unmask::words {
namespace {

nlohmann::ordered_json to_ordered(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull: return nullptr;
    case Node::Kind::kBoolean: return node.boolean;
    case Node::Kind::kInteger: return node.integer;
    case Node::Kind::kReal: return node.real;
    case Node::Kind::kString: return node.string;
    case Node::Kind::kArray: {
      auto out = nlohmann::ordered_json::array();
      for (const Node& item : node.items) out.push_back(to_ordered(item));
      return out;
    }
    case Node::Kind::kObject: {
      auto out = nlohmann::ordered_json::object();
      for (const Member& member : node.members) out[member.key] = to_ordered(member.value);
      return out;
    }
  }
  return nullptr;
}

}  // namespace

std::string kind_text(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull: return "null";
    case Node::Kind::kBoolean: return node.boolean ? "true" : "false";
    case Node::Kind::kInteger: return "an integer";
    case Node::Kind::kReal: return "a number";
    case Node::Kind::kString: return "a string";
    case Node::Kind::kArray: return "a list";
    case Node::Kind::kObject: return "an object";
  }
  return "?";
}

std::string one_line(const Node& node) {
  return to_ordered(node).dump();
}

bool expect(const Node& node, Node::Kind kind, const std::string& what, Reporter& reporter) {
  if (node.is(kind)) return true;
  Node wanted;
  wanted.kind = kind;
  const std::string wanted_text =
      kind == Node::Kind::kBoolean ? "true or false" : kind_text(wanted);
  reporter.at_value(
      code::kWrongType, node, what + " must be " + wanted_text + ", found " + kind_text(node));
  return false;
}

const Node* Node::find(std::string_view key) const {
  const auto found = std::find_if(
      members.begin(), members.end(), [&](const Member& member) { return member.key == key; });
  return found == members.end() ? nullptr : &found->value;
}

Node merge(const Node& base, const Node& over) {
  if (!base.is(Node::Kind::kObject) || !over.is(Node::Kind::kObject)) return over;
  Node out = base;
  out.place = over.place;
  std::unordered_map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < base.members.size(); ++i) index.emplace(base.members[i].key, i);
  std::vector<bool> removed(base.members.size(), false);
  for (const Member& member : over.members) {
    const auto found = index.find(member.key);
    if (found == index.end()) {
      out.members.push_back(member);
    } else if (member.value.is(Node::Kind::kNull)) {
      removed[found->second] = true;
    } else {
      Node& value = out.members[found->second].value;
      value = merge(base.members[found->second].value, member.value);
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < out.members.size(); ++i) {
    if (i < removed.size() && removed[i]) continue;
    if (kept != i) out.members[kept] = std::move(out.members[i]);
    ++kept;
  }
  out.members.resize(kept);
  return out;
}

}  // namespace unmask::words
