#include "watch/events.hpp"

#include <algorithm>

namespace unmask::watch {

std::string event(std::string_view name, std::string_view data) {
  std::string text = "event: " + std::string(name) + "\n";
  for (;;) {
    // A line of the stream ends with CR, LF or both.
    const std::size_t end = std::min(data.find_first_of("\r\n"), data.size());
    text += "data: ";
    text += data.substr(0, end);
    text += '\n';
    if (end == data.size()) break;
    const bool is_pair = data[end] == '\r' && end + 1 < data.size() && data[end + 1] == '\n';
    data.remove_prefix(end + (is_pair ? 2 : 1));
  }
  return text + "\n";
}

std::string Viewer::news(const Sections& sections) {
  std::string text;
  for (const auto& [name, content] : sections) {
    std::shared_ptr<const std::string>& seen = seen_[name];
    if (seen == content || (seen && *seen == *content)) continue;
    seen = content;
    text += event(name, *content);
  }
  return text;
}

}  // namespace unmask::watch
