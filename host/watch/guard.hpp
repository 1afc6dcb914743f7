#pragma once
// Who may see the watch page: whoever knows the token, from this machine, and no other web page that
// happens to be open in the same browser. Pure decisions; server.cpp applies them.

#include <optional>
#include <string>
#include <string_view>

namespace unmask::watch {

/// 256 bits from the kernel, as 64 hexadecimal digits. @throws InternalError without randomness
std::string random_token();

/// Whether two secrets are equal, in a time that depends on their lengths alone.
bool is_same_secret(std::string_view given, std::string_view expected);

/// "127.0.0.1", "::1", "localhost" and what else names this machine to itself alone.
bool is_loopback(std::string_view address);

/// The headers of a request that decide. A header that was not sent is empty.
struct Asked {
  std::string method;
  std::string host;        ///< Host: what the browser believes to talk to
  std::string origin;      ///< Origin: the page that asks
  std::string fetch_site;  ///< Sec-Fetch-Site
  std::string fetch_mode;  ///< Sec-Fetch-Mode
  std::string token;
};

struct Refusal {
  int status = 403;
  std::string reason;  ///< one line for people
};

class Guard {
 public:
  /// @param address  on which the server listens  @param name  of this machine; may be empty
  Guard(std::string token, std::string_view address, int port, std::string_view name = {});

  /// Why the request is refused, or nothing:
  ///  - only GET: there is nothing to write (405);
  ///  - Host must be an address or a name of this server, or a page of another site could reach it
  ///    under a name of its own (DNS rebinding). On loopback only the loopback names are; otherwise
  ///    also literal addresses and this machine's name, which nobody can rebind;
  ///  - Origin, where it is sent, must be this server, and Sec-Fetch-Site must not say another site,
  ///    unless somebody follows a link to the page;
  ///  - the token must be right.
  std::optional<Refusal> refuse(const Asked& asked) const;

 private:
  bool is_own_host(std::string_view host) const;

  std::string token_, address_, port_, name_;
};

}  // namespace unmask::watch
