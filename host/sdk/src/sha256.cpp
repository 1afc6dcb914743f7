#include "unmask/sha256.hpp"

#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <vector>

#include "unmask/errors.hpp"

namespace unmask {
inline namespace v1 {
namespace {

EVP_MD_CTX* context_of(void* context) {
  return static_cast<EVP_MD_CTX*>(context);
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (context_ == nullptr || EVP_DigestInit_ex(context_of(context_), EVP_sha256(), nullptr) != 1) {
    EVP_MD_CTX_free(context_of(context_));
    throw InternalError("OpenSSL cannot begin a SHA-256");
  }
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(context_of(context_));
}

Sha256& Sha256::update(const void* data, std::size_t size) {
  const int good = EVP_DigestUpdate(context_of(context_), data, size);
  UNMASK_CHECK(good == 1, "OpenSSL cannot go on with a SHA-256");
  return *this;
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const int good = EVP_DigestFinal_ex(context_of(context_), digest.data(), &size);
  UNMASK_CHECK(good == 1 && size == 32, "OpenSSL cannot finish a SHA-256");
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text.push_back(kDigits[digest[i] >> 4U]);
    text.push_back(kDigits[digest[i] & 0xFU]);
  }
  return text;
}

std::string sha256_hex(std::string_view text) {
  return Sha256().update(text).hex();
}

std::string sha256_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw DataError("cannot read " + file.string());
  Sha256 hash;
  std::vector<char> buffer(1 << 16);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hash.update(buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad()) throw DataError("cannot read " + file.string());
  return hash.hex();
}

}  // namespace v1
}  // namespace unmask
