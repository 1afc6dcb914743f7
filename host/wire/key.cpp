#include "wire/key.hpp"

#include <cstdint>
#include <vector>

#include "unmask/sha256.hpp"

namespace unmask::wire {

std::string key_of(const nlohmann::json& spec) {
  return sha256_hex(spec.dump());
}

std::string key_of(const Spec& spec) {
  // As dump(), but in the same room each time: it has kilobytes, and is asked for once a cell.
  thread_local std::string text;
  text.clear();
  for (const SharedMember& member : spec.members()) {
    text += text.empty() ? '{' : ',';
    text += member->text();
  }
  if (text.empty()) text += '{';
  text += '}';
  return sha256_hex(text);
}

std::string bytes_of(const nlohmann::json& value) {
  const std::vector<std::uint8_t> bytes = nlohmann::json::to_cbor(value);
  return {bytes.begin(), bytes.end()};
}

std::string identity_of_file(const std::filesystem::path& file) {
  return "sha256:" + sha256_file(file);
}

}  // namespace unmask::wire
