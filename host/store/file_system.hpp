#pragma once
// On what kind of file system a database lies. A write-ahead log needs memory that all processes
// share and locks that hold; a network gives neither reliably.

#include <filesystem>
#include <string>

namespace unmask::store {

struct FileSystem {
  std::string name;         ///< "ext2/3/4", "nfs"; "type 0x1234" for one without a name here
  bool is_network = false;  ///< other machines may have it mounted, too
};

/// By the number that statfs(2) gives its kind.
FileSystem file_system_of_type(long type);

/// Where a file lies or would lie.
FileSystem file_system_of(const std::filesystem::path& file);

/// How a transaction is made safe.
enum class Journal {
  kWriteAhead,  ///< readers never wait
  kRollback     ///< readers and the writer wait for each other; needs no shared memory
};

/// Environment variable that allows a database on a network: "rollback".
inline constexpr const char* kNetworkVariable = "UNMASK_NETWORK_DATABASE";

/// What to write a database with.
/// @param allowed  value of the variable; nullptr: not set
/// @throws StoreError for a network that is not allowed, with what to do; UsageError for another
///         value of the variable
Journal journal_for(const std::filesystem::path& file,
                    const FileSystem& system,
                    const char* allowed);

}  // namespace unmask::store
