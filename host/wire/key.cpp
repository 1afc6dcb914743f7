#include "wire/key.hpp"

#include "unmask/sha256.hpp"

namespace unmask::wire {

std::string key_of(const nlohmann::json& spec) {
  return sha256_hex(spec.dump());
}

std::string identity_of_file(const std::filesystem::path& file) {
  return "sha256:" + sha256_file(file);
}

}  // namespace unmask::wire
