#include "text/diagnostics.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/counted.hpp"
#include "text/utf8.hpp"

namespace unmask::words {
namespace {

constexpr std::size_t kGutter = 5;      // digits of a line number
constexpr std::size_t kLongLine = 160;  // code points of a source line that are shown
constexpr std::size_t kContext = 60;    // of them before the range, in a long line

// The code points of a line; control characters other than the tab must not reach a terminal.
std::vector<std::string> code_points(std::string_view line) {
  std::vector<std::string> out;
  for (const char c : line) {
    if (is_continuation(c) && !out.empty()) {
      out.back().push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.emplace_back(1, (byte < 0x20 && c != '\t') || byte == 0x7F ? '?' : c);
    }
  }
  return out;
}

std::string padded(const std::string& text, std::size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

// The source line and, under it, a caret and tildes.
std::string excerpt(const Diagnostic& d) {
  const std::vector<std::string> points = code_points(d.source_line);
  const std::size_t length =
      d.end.line > d.begin.line ? points.size() : d.end.column - d.begin.column;
  const std::size_t last = std::min(d.caret + length, points.size());
  std::string shown;
  std::string marks;
  for (std::size_t i = 0; i < points.size(); ++i) {
    shown += points[i];
    if (i < d.caret) marks += points[i] == "\t" ? "\t" : " ";
  }
  marks += "^" + std::string(last > d.caret + 1 ? last - d.caret - 1 : 0, '~');

  const std::string number = padded(std::to_string(d.begin.line), kGutter);
  return number + " | " + shown + "\n" + std::string(number.size(), ' ') + " | " + marks + "\n";
}

// The line, or of a long line the part around column `first` (from 0), and the column in that part.
std::pair<std::string, std::size_t> window(std::string_view line, std::size_t first) {
  if (line.size() <= kLongLine) return {valid_utf8(line), first};
  std::size_t from = 0;  // code points that are left out
  if (first > kContext) from = first - kContext;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t point = 0;
  for (std::size_t i = 0; i < line.size() && point <= from + kLongLine; ++i) {
    if (is_continuation(line[i])) continue;
    if (point == from) begin = i;
    end = i;
    ++point;
  }
  if (point <= from + kLongLine) end = line.size();
  std::string text = valid_utf8(line.substr(begin, end - begin));
  if (end < line.size()) text += "...";
  return from > 0 ? std::pair("..." + text, first - from + 3) : std::pair(text, first);
}

}  // namespace

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  constexpr const char* kHex = "0123456789abcdef";
  std::string out = "\"";
  std::size_t length = 0;
  for (const char c : text) {
    if (!is_continuation(c) && ++length > kLongest) return out + "...\"";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7F) {
      out += {'\\', 'u', '0', '0', kHex[byte >> 4U], kHex[byte & 15U]};
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string to_text(const Diagnostic& d) {
  std::string out = d.file;
  if (d.range) {
    out += ":" + std::to_string(d.begin.line) + ":" + std::to_string(d.begin.column);
  }
  out += ": error[" + d.code + "]: " + d.message + "\n";
  if (d.range) out += excerpt(d);
  if (!d.pointer.empty()) {
    const std::string safe = in_quotes(d.pointer);
    out += "   at " + safe.substr(1, safe.size() - 2) + "\n";
  }
  for (std::size_t at = 0; at < d.help.size();) {
    const std::size_t end = std::min(d.help.find('\n', at), d.help.size());
    out += "   help: " + d.help.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

std::string to_text(const std::vector<Diagnostic>& diagnostics) {
  if (diagnostics.empty()) return "";
  std::string out;
  for (const Diagnostic& d : diagnostics) out += to_text(d);
  return out + base::counted(diagnostics.size(), "error") + "; nothing was run.\n";
}

void to_json(nlohmann::json& json, const Diagnostic& d) {
  json = {{"code", d.code},
          {"file", valid_utf8(d.file)},
          {"pointer", d.pointer},
          {"message", d.message},
          {"help", d.help},
          {"suggestions", d.suggestions}};
  if (d.range) {
    json["range"] = {{"begin", d.range->begin}, {"end", d.range->end}};
    json["line"] = d.begin.line;
    json["column"] = d.begin.column;
    json["end_line"] = d.end.line;
    json["end_column"] = d.end.column;
  }
}

Diagnostic diagnose(const Source& source,
                    Range range,
                    std::string code,
                    std::string message,
                    std::string help,
                    std::string pointer) {
  Diagnostic d;
  d.code = std::move(code);
  d.file = source.name();
  d.range = range;
  d.begin = source.position(range.begin);
  d.end = source.position(std::max(range.begin, range.end));
  std::tie(d.source_line, d.caret) = window(source.line(d.begin.line), d.begin.column - 1);
  d.pointer = std::move(pointer);
  d.message = std::move(message);
  d.help = std::move(help);
  return d;
}

void Reporter::error(const char* code,
                     const Place& place,
                     Part part,
                     std::string message,
                     std::string help,
                     std::vector<std::string> suggestions) {
  // Consequences of a file that could not be read are noise beside the message about that file.
  static const std::set<std::string_view> kMayBeElsewhere = {code::kMissingKey,
                                                             code::kUnknownName,
                                                             code::kMatchesNothing,
                                                             code::kMissingParameter,
                                                             code::kRuleNeverMatches,
                                                             code::kNoCells};
  if (incomplete_ && kMayBeElsewhere.contains(code)) return;

  const Source& source = *place.source;
  const Range range =
      part == Part::kKey ? source.key_range(place.entry) : source.value_range(place.entry);
  Diagnostic d = diagnose(
      source, range, code, std::move(message), std::move(help), source.pointer(place.entry));
  d.suggestions = std::move(suggestions);
  diagnostics_.push_back(std::move(d));
}

std::vector<Diagnostic> Reporter::take(const std::vector<std::string>& files) {
  std::map<std::string, std::size_t> order;
  for (const std::string& file : files) order.emplace(file, order.size());
  const auto key = [&](const Diagnostic& d) {
    const auto found = order.find(d.file);
    return std::make_tuple(found == order.end() ? order.size() : found->second,
                           d.range ? d.range->begin + 1 : 0);
  };
  std::stable_sort(diagnostics_.begin(),
                   diagnostics_.end(),
                   [&](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
  // A wrong value that several definitions inherit is wrong once.
  std::set<std::tuple<std::string, std::string, std::size_t, std::size_t, std::string>> seen;
  std::vector<Diagnostic> unique;
  for (Diagnostic& d : diagnostics_) {
    const Range range = d.range.value_or(Range{});
    if (seen.emplace(d.code, d.file, range.begin, range.end, d.message).second) {
      unique.push_back(std::move(d));
    }
  }
  diagnostics_.clear();
  return unique;
}

}  // namespace unmask::words
