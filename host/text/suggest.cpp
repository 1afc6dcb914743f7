#include "text/suggest.hpp"

#include <algorithm>
#include <limits>

namespace unmask::words {
namespace {

// Nobody mistypes a word of this length; comparing it would only cost time.
constexpr std::size_t kLongestWord = 128;

std::string folded(std::string_view word) {
  std::string out(word);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  return out;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table: a swap of neighbours looks two rows back.
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[j] = std::min(now[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

std::vector<std::string> nearest(std::string_view word,
                                 const std::vector<std::string>& candidates,
                                 std::size_t limit) {
  if (word.size() > kLongestWord) return {};
  const std::string wanted = folded(word);
  const std::size_t farthest = std::max<std::size_t>(1, word.size() / 3);
  std::size_t best = farthest;
  std::vector<std::string> result;
  for (const std::string& candidate : candidates) {
    const std::size_t shorter = std::min(candidate.size(), word.size());
    const std::size_t longer = std::max(candidate.size(), word.size());
    if (longer - shorter > farthest) continue;
    const std::size_t distance = edit_distance(wanted, folded(candidate));
    // Every letter changed is not a likeness: "x" is no misspelling of "y".
    if (distance > best || (distance >= longer && distance > 0)) continue;
    if (distance < best) result.clear();
    best = distance;
    if (std::find(result.begin(), result.end(), candidate) == result.end()) {
      result.push_back(candidate);
    }
  }
  if (result.size() > limit) result.resize(limit);
  return result;
}

std::string did_you_mean(const std::vector<std::string>& words) {
  if (words.empty()) return "";
  std::string out = "did you mean ";
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += "\"" + words[i] + "\"";
  }
  return out + "?";
}

std::string listing(std::vector<std::string> words, std::size_t limit) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  const std::size_t shown = std::min(words.size(), limit);
  std::string out;
  for (std::size_t i = 0; i < shown; ++i) out += (i > 0 ? ", " : "") + words[i];
  if (shown < words.size()) out += ", ... and " + std::to_string(words.size() - shown) + " more";
  return out;
}

std::string help_for_unknown(std::string_view word,
                             const std::vector<std::string>& candidates,
                             std::string_view label) {
  if (candidates.empty()) return "";
  const std::string all = std::string(label) + ": " + listing(candidates);
  const std::string guess = did_you_mean(nearest(word, candidates));
  return guess.empty() ? all : guess + "   (" + all + ")";
}

}  // namespace unmask::words
