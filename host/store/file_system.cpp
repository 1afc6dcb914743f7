#include "store/file_system.hpp"

#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <system_error>

#include "unmask/errors.hpp"

namespace unmask::store {
namespace {

namespace fs = std::filesystem;

struct Known {
  std::uint32_t type;
  const char* name;
  bool is_network;
};

// Numbers from statfs(2) and the kernel's linux/magic.h; those of file systems that live outside of
// the kernel from their own headers. FUSE and 9p may be anything, near or far: they pass.
constexpr std::array<Known, 27> kKnown = {
    {{0x6969, "nfs", true},          {0x517b, "smb", true},          {0xff534d42, "cifs", true},
     {0xfe534d42, "smb2", true},     {0x5346414f, "afs", true},      {0x6b414653, "afs", true},
     {0x73757245, "coda", true},     {0x564c, "ncp", true},          {0x00c36400, "ceph", true},
     {0x0bd00bd0, "lustre", true},   {0x47504653, "gpfs", true},     {0x19830326, "beegfs", true},
     {0x20030528, "orangefs", true}, {0xaad7aaea, "panfs", true},    {0x01161970, "gfs2", true},
     {0x7461636f, "ocfs2", true},    {0xef53, "ext2/3/4", false},    {0x58465342, "xfs", false},
     {0x9123683e, "btrfs", false},   {0xf2f52010, "f2fs", false},    {0x2fc12fc1, "zfs", false},
     {0x01021994, "tmpfs", false},   {0x794c7630, "overlay", false}, {0x65735546, "fuse", false},
     {0x01021997, "9p", false},      {0x4d44, "vfat", false},        {0x5346544e, "ntfs", false}}};

}  // namespace

FileSystem file_system_of_type(long type) {
  // The field is as wide as a long here and an int elsewhere; the numbers have 32 bits.
  const auto number = static_cast<std::uint32_t>(type);
  const auto found = std::find_if(
      kKnown.begin(), kKnown.end(), [&](const Known& known) { return known.type == number; });
  if (found != kKnown.end()) return {found->name, found->is_network};
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "type 0x%x", static_cast<unsigned>(number));
  return {text.data(), false};
}

FileSystem file_system_of(const fs::path& file) {
  // The folder may not exist yet; then the nearest one above it decides.
  std::error_code error;
  fs::path place = fs::absolute(file, error);
  struct statfs facts {};
  while (::statfs(place.c_str(), &facts) != 0) {
    if (!place.has_relative_path()) return {"unknown", false};
    place = place.parent_path();
  }
  return file_system_of_type(static_cast<long>(facts.f_type));
}

Journal journal_for(const fs::path& file, const FileSystem& system, const char* allowed) {
  const std::string_view value = allowed == nullptr ? "" : allowed;
  if (!value.empty() && value != "rollback") {
    throw UsageError(std::string(kNetworkVariable) + " is \"" + std::string(value) +
                     "\"; it may be \"rollback\" or not set");
  }
  if (!system.is_network) return Journal::kWriteAhead;
  if (value == "rollback") return Journal::kRollback;
  throw StoreError(
      file.string() + " lies on a network file system (" + system.name +
      "), where neither a write-ahead log nor locks between machines can be relied on; name a file "
      "on a local disk with --db and copy the result (unmask db seal makes the copy), or set " +
      kNetworkVariable +
      "=rollback to write here without such a log: slower, and from one machine at a time only");
}

}  // namespace unmask::store
