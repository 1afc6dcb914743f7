#pragma once
// Base64 (RFC 4648 section 4), as web pages want pictures and hashes.

#include <string>
#include <string_view>

namespace unmask::base {

std::string base64(std::string_view bytes);

/// Of bytes that are given in hexadecimal digits.
std::string base64_of_hex(std::string_view hex);

}  // namespace unmask::base
