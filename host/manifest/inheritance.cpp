#include "manifest/inheritance.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "manifest/keys.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest {
namespace {

constexpr std::size_t kLongestChain = 64;

// Iterative: a long chain must not use up the stack.
class Layers {
 public:
  Layers(const std::vector<DefinitionText>& texts,
         const FindParent& find_parent,
         Reporter& reporter)
      : texts_(texts), find_parent_(find_parent), reporter_(reporter), entries_(texts.size()) {}

  std::vector<MergedText> lay_all() {
    for (std::size_t start = 0; start < entries_.size(); ++start) lay(start);
    std::vector<MergedText> out;
    out.reserve(entries_.size());
    for (Entry& entry : entries_) out.push_back(std::move(entry.text));
    return out;
  }

 private:
  enum class State { kNew, kOnChain, kDone };
  struct Entry {
    MergedText text;
    std::size_t depth = 0;
    State state = State::kNew;
  };
  // What a definition extends.
  struct Step {
    std::optional<std::size_t> parent;
    bool is_broken = false;  // it extends something that does not exist; reported
  };

  // Climbs from `start` to a definition that extends nothing or is done, then lays the way down.
  void lay(std::size_t start) {
    std::vector<std::size_t> chain;
    Step step{start, false};
    while (step.parent && entries_[*step.parent].state != State::kDone) {
      const std::size_t at = *step.parent;
      entries_[at].state = State::kOnChain;
      chain.push_back(at);
      step = climb(at, chain);
    }
    for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
      Entry& entry = entries_[*at];
      entry.state = State::kDone;
      if (step.parent) {
        lay_upon(entries_[*step.parent], texts_[*at].node, entry);
      } else {
        entry.text = {texts_[*at].node, !step.is_broken};
      }
      step.parent = *at;
    }
  }

  Step climb(std::size_t at, const std::vector<std::size_t>& chain) {
    constexpr Step kBroken{std::nullopt, true};
    const DefinitionText& text = texts_[at];
    const std::string& written = text.family.empty() ? text.name : text.family;
    if (!expect(text.node, Node::Kind::kObject, "definition " + in_quotes(written), reporter_)) {
      return kBroken;
    }
    const Node* extends = text.node.find("extends");
    if (extends == nullptr) return {};
    if (!expect(*extends, Node::Kind::kString, "\"extends\" of a definition", reporter_)) {
      return kBroken;
    }
    const auto parent = find_parent_(*extends);
    if (!parent) return kBroken;
    if (entries_[*parent].state == State::kOnChain) {
      std::vector<std::string> cycle;
      for (auto i = std::find(chain.begin(), chain.end(), *parent); i != chain.end(); ++i) {
        cycle.push_back(texts_[*i].name);
      }
      cycle.push_back(texts_[*parent].name);
      reporter_.at_value(code::kCycle, *extends, "\"extends\" forms a cycle: " + chain_text(cycle));
      return kBroken;
    }
    return {parent, false};
  }

  void lay_upon(const Entry& parent, const Node& node, Entry& out) {
    out.depth = parent.depth + 1;
    if (out.depth == kLongestChain) {
      reporter_.at_key(
          code::kLimit,
          node,
          "definition extends more than " + std::to_string(kLongestChain - 1) + " others in a row");
    }
    if (out.depth >= kLongestChain) {
      out.text = {node, false};
      return;
    }
    Node inherited = parent.text.node;
    std::erase_if(inherited.members, [](const Member& m) {
      return m.key == "extends" || m.key == "description" || is_ignored_key(m.key);
    });
    out.text = {merge(inherited, node), parent.text.is_whole};
  }

  const std::vector<DefinitionText>& texts_;
  const FindParent& find_parent_;
  Reporter& reporter_;
  std::vector<Entry> entries_;
};

}  // namespace

std::vector<MergedText> lay_upon_parents(const std::vector<DefinitionText>& texts,
                                         const FindParent& find_parent,
                                         Reporter& reporter) {
  return Layers(texts, find_parent, reporter).lay_all();
}

}  // namespace unmask::manifest
