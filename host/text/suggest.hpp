#pragma once
// "Did you mean ...?": the nearest legal words to one that is not legal. Used for manifests and by
// the command line.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace unmask::words {

/// Damerau-Levenshtein distance (optimal string alignment): the number of insertions, deletions,
/// substitutions and swaps of neighbours that turn one word into the other. Counts bytes.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidates nearest to `word`: those at the smallest distance, at most `limit` of them, and
/// none farther than max(1, length / 3). Case, and '-' against '_', cost nothing.
std::vector<std::string> nearest(std::string_view word,
                                 const std::vector<std::string>& candidates,
                                 std::size_t limit = 3);

/// `did you mean "a" or "b"?`, or "" when `words` is empty.
std::string did_you_mean(const std::vector<std::string>& words);

/// The whole help line for an unknown word: `did you mean "dopri5"?   (defined: dopri5, rk4)`,
/// without a near word `defined: dopri5, rk4`. `label` says what the list is ("defined",
/// "allowed"). Long lists are cut. "" when there are no candidates.
std::string help_for_unknown(std::string_view word,
                             const std::vector<std::string>& candidates,
                             std::string_view label);

/// The candidates sorted and joined with ", "; at most `limit`, then "... and 5 more".
std::string listing(std::vector<std::string> words, std::size_t limit = 16);

}  // namespace unmask::words
