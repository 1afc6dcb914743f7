#pragma once
// The page itself: one HTML text with its style and script inside, which asks nobody but this server
// for anything.

#include <string>

namespace unmask::watch {

/// The whole page.
const std::string& page();

/// The Content-Security-Policy under which it works: its own style and script by their SHA-256, this
/// server for data, and nothing else.
std::string content_security_policy();

}  // namespace unmask::watch
