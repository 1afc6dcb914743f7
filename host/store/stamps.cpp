#include "store/stamps.hpp"

#include <sys/random.h>
#include <sys/types.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "unmask/errors.hpp"

namespace unmask::store {

std::string make_uuid() {
  std::array<unsigned char, 16> bytes{};
  const auto size = static_cast<ssize_t>(bytes.size());
  if (::getrandom(bytes.data(), bytes.size(), 0) != size) {
    throw InternalError(std::string("the system gives no random bytes: ") + std::strerror(errno));
  }
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3F) | 0x80);
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", static_cast<unsigned>(bytes[i]));
    text += digits.data();
  }
  return text;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  std::array<char, 32> buffer{};
  std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%SZ", ::gmtime_r(&now, &parts));
  return buffer.data();
}

}  // namespace unmask::store
