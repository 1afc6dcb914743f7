#include "base/cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::base {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The first line of a file: this, and the hash of what follows.
constexpr std::string_view kMagic = "unmask-cache-1 ";
constexpr const char* kExtension = ".entry";
constexpr std::size_t kHashLength = 64;

std::string text_of(const json& value) {
  // Paths are bytes; two that differ in bytes that are not UTF-8 must not look alike.
  try {
    return value.dump();
  } catch (const json::exception&) {
    const std::vector<std::uint8_t> bytes = json::to_cbor(value);
    return "cbor " + sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
}

// What a file holds behind its first line; nullopt when it is not as it was written.
std::optional<std::string_view> checked_body(std::string_view bytes) {
  const std::size_t start = kMagic.size() + kHashLength + 1;
  if (bytes.size() < start || !bytes.starts_with(kMagic) || bytes[start - 1] != '\n') {
    return std::nullopt;
  }
  const std::string_view body = bytes.substr(start);
  if (sha256_hex(body) != bytes.substr(kMagic.size(), kHashLength)) return std::nullopt;
  return body;
}

// Says that an entry is in use, at most once a day: prune() goes by it.
void touch(const fs::path& file) {
  std::error_code ignored;
  const auto now = fs::file_time_type::clock::now();
  const auto last = fs::last_write_time(file, ignored);
  if (!ignored && now - last > std::chrono::hours(24)) fs::last_write_time(file, now, ignored);
}

}  // namespace

fs::path cache_folder() {
  const auto variable = [](const char* name) -> fs::path {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    return value == nullptr ? "" : value;
  };
  if (fs::path own = variable(kCacheVariable); !own.empty()) return own;
  if (const fs::path xdg = variable("XDG_CACHE_HOME"); xdg.is_absolute()) return xdg / "unmask";
  if (const fs::path home = variable("HOME"); home.is_absolute()) return home / ".cache" / "unmask";
  return {};
}

std::optional<json> Cache::find(const std::string& kind, const json& question) const {
  if (folder_.empty()) return std::nullopt;
  const std::string asked = text_of(question);
  const fs::path file = file_of(kind, asked);
  try {
    const std::string bytes = read_file(file);
    const auto body = checked_body(bytes);
    if (!body) return std::nullopt;
    json entry = json::parse(*body);
    if (entry.at("question") != asked) return std::nullopt;
    touch(file);
    return std::move(entry.at("answer"));
  } catch (const std::exception&) {
    return std::nullopt;  // not there, or not readable: as if it had never been stored
  }
}

void Cache::store(const std::string& kind, const json& question, const json& answer) const {
  if (folder_.empty()) return;
  const std::string asked = text_of(question);
  try {
    const std::string body = json{{"question", asked}, {"answer", answer}}.dump();
    fs::create_directories(folder_);
    write_file_atomically(file_of(kind, asked),
                          std::string(kMagic) + sha256_hex(body) + "\n" + body);
    prune();
  } catch (const std::exception&) {
    // A read-only folder, a full disk, text that is not UTF-8: the next call works it out again.
  }
}

fs::path Cache::file_of(const std::string& kind, const std::string& question) const {
  return folder_ / (kind + "-" + sha256_hex(question).substr(0, 32) + kExtension);
}

void Cache::prune() const {
  std::vector<std::pair<fs::file_time_type, fs::path>> entries;
  std::error_code ignored;
  const auto now = fs::file_time_type::clock::now();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, ignored)) {
    const fs::file_time_type time = entry.last_write_time(ignored);
    if (entry.path().extension() == kExtension) {
      entries.emplace_back(time, entry.path());
    } else if (entry.path().extension() == ".tmp" && now - time > std::chrono::hours(1)) {
      fs::remove(entry.path(), ignored);  // of a process that was killed while it wrote
    }
  }
  if (entries.size() <= kMostEntries) return;
  std::sort(entries.begin(), entries.end());
  entries.resize(entries.size() - kMostEntries);
  for (const auto& [time, file] : entries) fs::remove(file, ignored);
}

}  // namespace unmask::base
