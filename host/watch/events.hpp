#pragma once
// Server-sent events: the frames of the stream that the page reads, and what of the parts is new to
// one viewer. Source: HTML Living Standard, section 9.2.

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "watch/sections.hpp"

namespace unmask::watch {

/// One event. Every line of `data` gets its own field, so that no content can begin another event.
/// @param name  without line ends
std::string event(std::string_view name, std::string_view data);

/// What one viewer has seen.
class Viewer {
 public:
  /// Events for the parts that this viewer has not seen as they are now; empty when there are none.
  std::string news(const Sections& sections);

 private:
  std::map<std::string, std::shared_ptr<const std::string>> seen_;
};

}  // namespace unmask::watch
