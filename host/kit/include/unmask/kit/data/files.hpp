#pragma once
// Reading the files of a data set: every way in which a file can be unusable is one DataError that
// says which file, what is wrong with it and what was expected.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

#include "unmask/errors.hpp"
#include "unmask/file_kind.hpp"

namespace unmask::kit {

/// A data set's folder, with what a message about it needs.
struct DataFolder {
  std::string dataset;  ///< "cifar10"
  std::filesystem::path path;
  std::string should_contain;  ///< "the binary version: data_batch_1.bin, ..."

  [[noreturn]] void fail(const std::filesystem::path& file, const std::string& problem) const {
    throw DataError("data set " + dataset + ": " + file.string() + ": " + problem);
  }

  /// As fail(), of a file that is not of the expected kind: says what it is, where that is recognised
  /// (a Git LFS pointer, a web page, ...).
  [[noreturn]] void fail_kind(const std::filesystem::path& file, const std::string& problem) const {
    const std::string kind = file_kind(read(file, kFileKindBytes));
    fail(file, kind.empty() ? problem : problem + "; it is " + kind);
  }

  /// @throws DataError when the folder is missing or not a folder
  void require() const {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
      fail(path,
           std::string(std::filesystem::exists(path, ignored) ? "is not a folder"
                                                              : "does not exist") +
               "; parameter \"folder\" must name a folder with " + should_contain);
    }
  }

  /// Size of a file in bytes. @throws DataError when it is missing or not a plain file
  std::uintmax_t size_of(const std::filesystem::path& file) const {
    require();
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) {
      fail(file, "no such file; the folder must contain " + should_contain);
    }
    const std::uintmax_t size = std::filesystem::file_size(file, error);
    if (error) fail(file, "cannot be read: " + error.message());
    return size;
  }

  /// The first bytes of a file, at most `limit`. @throws DataError when it cannot be read
  std::string read(const std::filesystem::path& file,
                   std::uintmax_t limit = std::numeric_limits<std::uintmax_t>::max()) const {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status {};
    if (fd < 0 || ::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
      if (fd >= 0) ::close(fd);
      size_of(file);  // says what is wrong, where that is known
      fail(file, "cannot be opened for reading; check its permissions");
    }
    std::string bytes(
        static_cast<std::size_t>(std::min(static_cast<std::uintmax_t>(status.st_size), limit)),
        '\0');
    std::size_t got = 0;
    while (got < bytes.size()) {
      const ssize_t n = ::read(fd, bytes.data() + got, bytes.size() - got);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
    ::close(fd);
    if (got != bytes.size()) {
      fail(file,
           "ends after " + std::to_string(got) + " of " + std::to_string(bytes.size()) +
               " bytes; it changed while it was read, or the disk is failing");
    }
    return bytes;
  }
};

/// Byte `i` of a buffer as a number.
inline std::uint8_t byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<std::uint8_t>(bytes[i]);
}

}  // namespace unmask::kit
