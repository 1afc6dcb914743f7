#pragma once
// The page itself: one HTML text with its style and script inside, which asks nobody but this server
// for anything.

#include <string>
#include <string_view>

namespace unmask::watch {

/// The whole page.
const std::string& page();

/// The Content-Security-Policy under which it works: its own style and script by their SHA-256, this
/// server for data, and nothing else.
std::string content_security_policy();

/// Of bytes in hexadecimal digits, as RFC 4648 section 4 writes them.
std::string base64_of_hex(std::string_view hex);

}  // namespace unmask::watch
