#pragma once
// "extends" in a definition: everything that the parent says and the definition does not.

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "manifest/sweep.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest {

/// A definition laid upon its parents.
struct MergedText {
  Node node;
  bool is_whole = true;  ///< false: some parent is missing, so keys may be missing, too
};

/// From the value of "extends" to the place of the parent among the definitions of its kind.
/// Unknown names are reported by it; nullopt then.
using FindParent = std::function<std::optional<std::size_t>(const Node& extends)>;

/// All definitions of a kind, each laid upon its parent, in their order. Cycles and chains of more
/// than 64 definitions are reported.
std::vector<MergedText> lay_upon_parents(const std::vector<DefinitionText>& texts,
                                         const FindParent& find_parent,
                                         Reporter& reporter);

}  // namespace unmask::manifest
