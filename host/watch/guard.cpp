#include "watch/guard.hpp"

#include <arpa/inet.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "unmask/errors.hpp"

namespace unmask::watch {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return result;
}

bool is_ip_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

// "name:port" or "[v6]:port" -> name and port; a missing port is that of http.
struct HostAndPort {
  std::string host, port = "80";
};

HostAndPort split(std::string_view text) {
  HostAndPort result;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return {};
    result.host = lower(text.substr(1, end - 1));
    const std::string_view rest = text.substr(end + 1);
    if (rest.starts_with(':')) result.port = rest.substr(1);
    if (!rest.empty() && !rest.starts_with(':')) return {};
    return result;
  }
  const std::size_t colon = text.find(':');
  result.host = lower(text.substr(0, colon));
  if (colon != std::string_view::npos) result.port = text.substr(colon + 1);
  return result;
}

}  // namespace

std::string random_token() {
  std::array<unsigned char, 32> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw InternalError("the kernel gives no random bytes for the token of the page");
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string token;
  for (const unsigned char byte : bytes) {
    token += kDigits[byte >> 4];
    token += kDigits[byte & 15];
  }
  return token;
}

bool is_same_secret(std::string_view given, std::string_view expected) {
  // The length is no secret. Every byte is looked at, whatever the ones before it were.
  if (given.size() != expected.size()) return false;
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    difference = static_cast<unsigned char>(difference | (static_cast<unsigned char>(given[i]) ^
                                                          static_cast<unsigned char>(expected[i])));
  }
  return difference == 0;
}

bool is_loopback(std::string_view address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

Guard::Guard(std::string token, std::string_view address, int port, std::string_view name)
    : token_(std::move(token)),
      address_(lower(address)),
      port_(std::to_string(port)),
      name_(lower(name)) {}

bool Guard::is_own_host(std::string_view text) const {
  const HostAndPort asked = split(text);
  if (asked.host.empty() || asked.port != port_) return false;
  if (asked.host == address_) return true;
  if (is_loopback(address_)) {
    return asked.host == "localhost" || (is_ip_address(asked.host) && is_loopback(asked.host));
  }
  return asked.host == "localhost" || is_ip_address(asked.host) ||
         (!name_.empty() && asked.host == name_);
}

std::optional<Refusal> Guard::refuse(const Asked& asked) const {
  if (asked.method != "GET")
    return Refusal{405, "this server only answers GET; nothing is written"};
  if (!is_own_host(asked.host)) {
    return Refusal{403, "the Host header does not name this server"};
  }
  if (!asked.origin.empty()) {
    constexpr std::string_view kScheme = "http://";
    if (!asked.origin.starts_with(kScheme) ||
        !is_own_host(std::string_view(asked.origin).substr(kScheme.size()))) {
      return Refusal{403, "a page of another origin asks"};
    }
  }
  const bool is_from_elsewhere =
      asked.fetch_site == "cross-site" || asked.fetch_site == "same-site";
  if (is_from_elsewhere && asked.fetch_mode != "navigate") {
    return Refusal{403, "a page of another site asks"};
  }
  if (!is_same_secret(asked.token, token_)) {
    return Refusal{403,
                   "the token is missing or wrong: open the address that unmask watch printed"};
  }
  return std::nullopt;
}

}  // namespace unmask::watch
