#include "base/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <system_error>
#include <vector>

#include "base/unique_fd.hpp"
#include "unmask/errors.hpp"

namespace unmask::base {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& what, const fs::path& path, int error) {
  throw DataError("cannot " + what + " " + path.string() + ": " + std::strerror(error));
}

void write_all(int fd, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      fail("write", path, errno);
    }
  }
}

// Removes a file unless told otherwise: a failed write leaves nothing behind.
struct Leftover {
  std::string path;

  Leftover() = default;
  Leftover(const Leftover&) = delete;
  Leftover& operator=(const Leftover&) = delete;
  ~Leftover() {
    if (!path.empty()) ::unlink(path.c_str());
  }
};

}  // namespace

fs::path behind_links(const fs::path& given) {
  constexpr int kMaxLinks = 40;  // as many as the kernel follows
  fs::path file = given;
  std::error_code error;
  for (int links = 0; links < kMaxLinks && fs::is_symlink(fs::symlink_status(file, error));
       ++links) {
    const fs::path target = fs::read_symlink(file, error);
    if (error) break;
    file = target.is_absolute() ? target : file.parent_path() / target;
  }
  return file;
}

std::string read_file(const fs::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) fail("open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) fail("read", path, errno);

  // The size is a hint: files of /proc announce 0, and a file may grow meanwhile.
  std::string bytes;
  bytes.resize(static_cast<std::size_t>(info.st_size) + 1);
  std::size_t got = 0;
  for (;;) {
    if (got == bytes.size()) bytes.resize(bytes.size() * 2);
    const ssize_t n = ::read(fd.get(), bytes.data() + got, bytes.size() - got);
    if (n == 0) break;
    if (n > 0) {
      got += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      fail("read", path, errno);
    }
  }
  bytes.resize(got);
  return bytes;
}

namespace {

// True while the file still has its name. Its writer holds a lock that ends with the process, so
// that remove_abandoned() can tell what somebody writes from what a killed process left behind.
bool lock_new_file(int fd) {
  while (::flock(fd, LOCK_EX) != 0 && errno == EINTR) {
  }
  // A file system without locks: nobody will take the file for abandoned there either.
  struct stat info {};
  return ::fstat(fd, &info) == 0 && info.st_nlink > 0;
}

// ".<name>.<process>-<number>.tmp", as make_atomically() names them.
bool is_temporary_name(std::string_view name) {
  constexpr std::string_view kEnding = ".tmp";
  if (!name.starts_with('.') || !name.ends_with(kEnding)) return false;
  name.remove_suffix(kEnding.size());
  for (const char before : {'-', '.'}) {
    const std::size_t last = name.find_last_not_of("0123456789");
    if (last == std::string_view::npos || last + 1 == name.size() || name[last] != before) {
      return false;
    }
    name.remove_suffix(name.size() - last);
  }
  return name.size() > 1;
}

using Fill = std::function<void(int, const fs::path&)>;

// A device, a pipe, a socket: there is nothing to be replaced, and its name must stay its own.
bool is_no_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

void write_through(const fs::path& path, const Fill& fill) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) fail("write", path, errno);
  fill(fd.get(), path);
}

// @param fill  writes to a descriptor that belongs to a file of the given name
void make_atomically(const fs::path& given, const Fill& fill) {
  if (is_no_file(given)) return write_through(given, fill);
  const fs::path path = behind_links(given);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail("make the folder", folder, error.value());

  // A name of its own for every call: threads, processes, and what a killed process left behind.
  static std::atomic<unsigned> counter{0};
  Leftover temporary;
  UniqueFd fd;
  while (!fd) {
    const fs::path name =
        folder / ("." + path.filename().string() + "." + std::to_string(::getpid()) + "-" +
                  std::to_string(counter++) + ".tmp");
    fd.reset(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (fd && !lock_new_file(fd.get())) {
      fd.reset();
    } else if (fd) {
      temporary.path = name.string();
    } else if (errno != EEXIST && errno != EINTR) {
      fail("make a temporary file beside", path, errno);
    }
  }
  fill(fd.get(), temporary.path);
  if (::fsync(fd.get()) != 0) fail("write", temporary.path, errno);
  // Before the lock is gone with the descriptor: a temporary file without a writer may be removed.
  if (::rename(temporary.path.c_str(), path.c_str()) != 0) fail("write", path, errno);
  temporary.path.clear();
  sync_folder(folder);
}

}  // namespace

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  make_atomically(path, [&](int fd, const fs::path& name) { write_all(fd, bytes, name); });
}

void copy_file_atomically(const fs::path& from, const fs::path& to) {
  const UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) fail("open", from, errno);
  make_atomically(to, [&](int fd, const fs::path& name) {
    std::string piece(std::size_t{1} << 20, '\0');
    for (;;) {
      const ssize_t n = ::read(source.get(), piece.data(), piece.size());
      if (n == 0) return;
      if (n > 0) {
        write_all(fd, std::string_view(piece.data(), static_cast<std::size_t>(n)), name);
      } else if (errno != EINTR) {
        fail("read", from, errno);
      }
    }
  });
}

void sync_folder(const fs::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) fail("open the folder", folder, errno);
  // Some file systems cannot sync a folder and say EINVAL; there is nothing more to be had from
  // them.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) fail("sync the folder", folder, errno);
}

std::size_t remove_abandoned(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    const bool is_file = at->is_regular_file(ignored) && !at->is_symlink(ignored);
    if (is_file && is_temporary_name(at->path().filename().string())) found.push_back(at->path());
  }
  std::size_t count = 0;
  for (const fs::path& file : found) {
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (::unlink(file.c_str()) == 0) ++count;
  }
  return count;
}

TempFolder::TempFolder(const std::string& prefix, const fs::path& parent) {
  std::string name =
      ((parent.empty() ? fs::temp_directory_path() : parent) / (prefix + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) fail("make the folder", name, errno);
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;  // what cannot be removed stays in the system's temporary folder
  fs::remove_all(path_, ignored);
}

}  // namespace unmask::base
