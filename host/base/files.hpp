#pragma once
// Files that are whole or absent, and folders that clean up after themselves.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace unmask::base {

/// All bytes of a file. @throws DataError naming the file and the reason
std::string read_file(const std::filesystem::path& path);

/// Where a name leads: through symbolic links, also to a file that is not there yet. Of links in a
/// circle, one of them.
std::filesystem::path behind_links(const std::filesystem::path& path);

/// Make `path` hold exactly `bytes`, or leave it as it was, whatever happens in between (a crash, a
/// full disk, a power failure): a temporary file in the same folder, fsync, rename, fsync of the
/// folder. Missing folders are made. A symbolic link stays one: the file behind it is made. What is
/// no file, such as a pipe or /dev/stdout, gets the bytes and stays what it is.
/// @throws DataError naming the file and the reason
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// Make `to` hold what `from` holds, in the same way; in pieces, whatever the size.
/// @throws DataError naming the file and the reason
void copy_file_atomically(const std::filesystem::path& from, const std::filesystem::path& to);

/// Remove the temporary files below a folder that killed processes left there. Those that somebody
/// writes at this moment, in whatever process, stay. What cannot be removed is passed over.
/// @return how many were removed
std::size_t remove_abandoned(const std::filesystem::path& folder);

/// Wait until the entries of a folder are on the disk. @throws DataError
void sync_folder(const std::filesystem::path& folder);

/// A new folder with a unique name, removed with all its contents at the end of the scope.
class TempFolder {
 public:
  /// @param prefix start of the folder's name
  /// @param parent where to make it; empty: the system's folder for temporary files
  explicit TempFolder(const std::string& prefix = "unmask-",
                      const std::filesystem::path& parent = {});
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace unmask::base
