#include "loader/build_tag.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/unique_fd.hpp"
#include "unmask/file_kind.hpp"
#include "unmask/sha256.hpp"

namespace unmask::loader {
namespace {

// This text alone is no tag, so a program that holds it does not look like a plugin.
constexpr std::string_view kTagStart = "@unmask-build-tag:";
constexpr std::size_t kLongestTag = 512;

bool is_tag_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.-+=;~").find(c) != std::string_view::npos;
}

std::string field_title(const std::string& name) {
  if (name == "epoch") return "SDK epoch";
  if (name == "cxx11_abi") return "C++11 ABI";
  if (name == "libtorch") return "LibTorch";
  return name;
}

std::string value_of(const std::vector<std::pair<std::string, std::string>>& fields,
                     const std::string& name) {
  for (const auto& [field, value] : fields) {
    if (field == name) return value;
  }
  return "not named";
}

// The machine that this code runs on, as ELF writes it.
#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#elif defined(__powerpc64__)
constexpr std::uint16_t kMachine = EM_PPC64;
#elif defined(__riscv)
constexpr std::uint16_t kMachine = EM_RISCV;
#else
#error "the ELF machine number of this architecture is not known here"
#endif

template <class T>
T read_struct(std::string_view bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// End of a table or segment; saturates, so that nonsense reads as "far too large".
std::uint64_t end_of(std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  return size > most - offset ? most : offset + size;
}

std::string truncated(std::uint64_t promised, std::size_t present) {
  return "is truncated: its headers speak of " + std::to_string(promised) + " bytes and it has " +
         std::to_string(present) + "; build or copy it again";
}

// All bytes of a regular file, or why not.
std::optional<std::string> read_regular(const std::filesystem::path& file, std::string& problem) {
  const auto fail = [&problem](const std::string& why) {
    problem = "cannot be read: " + why;
    return std::nullopt;
  };
  // Opening a named pipe would wait for a writer.
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(std::strerror(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return fail("it is not a regular file");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t n = ::read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(std::strerror(errno));
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

}  // namespace

std::vector<std::string> find_build_tags(std::string_view bytes) {
  std::vector<std::string> tags;
  for (std::size_t at = bytes.find(kTagStart); at != std::string_view::npos;
       at = bytes.find(kTagStart, at + 1)) {
    std::size_t end = at + kTagStart.size();
    while (end < bytes.size() && end - at < kLongestTag && is_tag_character(bytes[end])) ++end;
    if (end >= bytes.size() || bytes[end] != '@') continue;
    std::string tag(bytes.substr(at, end + 1 - at));
    if (tag_fields(tag).empty()) continue;
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(std::move(tag));
  }
  return tags;
}

std::vector<std::pair<std::string, std::string>> tag_fields(std::string_view tag) {
  std::vector<std::pair<std::string, std::string>> fields;
  if (!tag.starts_with(kTagStart) || !tag.ends_with('@')) return fields;
  tag.remove_prefix(kTagStart.size());
  if (!tag.empty()) tag.remove_suffix(1);
  while (!tag.empty()) {
    const std::string_view field = tag.substr(0, tag.find(';'));
    tag.remove_prefix(std::min(tag.size(), field.size() + 1));
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos || equals == 0) return {};
    fields.emplace_back(field.substr(0, equals), field.substr(equals + 1));
  }
  return fields;
}

std::optional<std::string> tag_mismatch(std::string_view plugin_tag, std::string_view host_tag) {
  if (plugin_tag == host_tag) return std::nullopt;
  const auto plugin = tag_fields(plugin_tag);
  const auto host = tag_fields(host_tag);
  std::vector<std::string> names;
  for (const auto& fields : {host, plugin}) {
    for (const auto& [name, value] : fields) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  std::string differences;
  for (const std::string& name : names) {
    const std::string theirs = value_of(plugin, name), ours = value_of(host, name);
    if (theirs == ours) continue;
    differences += (differences.empty() ? "" : ", ") + field_title(name) + " " + theirs +
                   " (this host: " + ours + ")";
  }
  if (differences.empty()) differences = "the same fields in another order";
  return "was built for another host: " + differences +
         "; rebuild it with this host's compiler and LibTorch against this unmask";
}

std::optional<std::string> library_violation(std::string_view bytes) {
  if (bytes.empty()) return "is empty; build or copy it again";
  const std::string_view magic(ELFMAG, SELFMAG);
  if (!bytes.starts_with(magic)) {
    // The first bytes of a truncated library are still those of a library.
    const std::string kind = file_kind(bytes.substr(0, kFileKindBytes));
    return "is not a shared library" +
           (kind.empty() ? ": it does not start as an ELF file does" : " but " + kind);
  }
  if (bytes.size() < sizeof(Elf64_Ehdr)) return truncated(sizeof(Elf64_Ehdr), bytes.size());
  const auto header = read_struct<Elf64_Ehdr>(bytes, 0);
  constexpr unsigned char kData =
      __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != kData ||
      header.e_machine != kMachine) {
    return "was built for another kind of processor; rebuild it on this machine";
  }
  if (header.e_type != ET_DYN) return "is an ELF file, but not a shared library";

  std::uint64_t promised =
      end_of(header.e_phoff, std::uint64_t{header.e_phentsize} * header.e_phnum);
  promised = std::max(promised,
                      end_of(header.e_shoff, std::uint64_t{header.e_shentsize} * header.e_shnum));
  if (promised > bytes.size()) return truncated(promised, bytes.size());
  if (header.e_phnum > 0 && header.e_phentsize != sizeof(Elf64_Phdr)) {
    return "is not a shared library: its program headers have an unknown size";
  }
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = read_struct<Elf64_Phdr>(
        bytes, static_cast<std::size_t>(header.e_phoff) + i * sizeof(Elf64_Phdr));
    if (segment.p_type == PT_LOAD) {
      promised = std::max(promised, end_of(segment.p_offset, segment.p_filesz));
    }
  }
  if (promised > bytes.size()) return truncated(promised, bytes.size());
  return std::nullopt;
}

FileInspection inspect_file(const std::filesystem::path& file, std::string_view host_tag) {
  FileInspection result;
  const std::optional<std::string> bytes = read_regular(file, result.problem);
  if (!bytes) return result;
  result.sha256 = sha256_hex(*bytes);
  if (auto problem = library_violation(*bytes)) {
    result.problem = std::move(*problem);
    return result;
  }
  const std::vector<std::string> tags = find_build_tags(*bytes);
  // A plugin that forgot its last line is linked with the SDK all the same. (Names in a library's
  // tables of strings stand between zeros.)
  const auto holds = [&](std::string_view name) { return bytes->find(name) != std::string::npos; };
  using std::string_view_literals::operator""sv;
  if (tags.empty() && holds("libunmask_sdk.so") && !holds("\0unmask_plugin\0"sv)) {
    result.problem =
        "is built with unmask's SDK but offers no plugin; end its source with "
        "UNMASK_PLUGIN(Class), "
        "which also puts the build tag into it";
  } else if (tags.empty()) {
    result.problem =
        "carries no build tag of unmask, so it is not a plugin; build plugins with "
        "unmask_add_plugin() and keep other libraries out of plugin folders";
  } else if (tags.size() > 1) {
    result.problem = "carries " + std::to_string(tags.size()) + " different build tags, " +
                     tags[0] + " and " + tags[1] +
                     "; build all of it at once, one plugin per library";
  } else if (auto mismatch = tag_mismatch(tags[0], host_tag)) {
    result.problem = std::move(*mismatch);
  } else {
    result.build_tag = tags[0];
  }
  return result;
}

}  // namespace unmask::loader
