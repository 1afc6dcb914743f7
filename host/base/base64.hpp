#pragma once
// Base64 (RFC 4648 section 4), as security policies of web pages want hashes.

#include <string>
#include <string_view>

namespace unmask::base {

/// Of bytes that are given in hexadecimal digits.
std::string base64_of_hex(std::string_view hex);

}  // namespace unmask::base
