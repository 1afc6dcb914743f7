#include "store/writer_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "store/stamps.hpp"
#include "store/writer_busy.hpp"
#include "unmask/errors.hpp"

namespace unmask::store {
namespace {

namespace fs = std::filesystem;

std::string host_name() {
  std::array<char, 256> buffer{};
  return ::gethostname(buffer.data(), buffer.size() - 1) == 0 ? buffer.data() : "unknown host";
}

std::string text_of_holder(int fd) {
  std::array<char, 512> buffer{};
  const ssize_t size = ::pread(fd, buffer.data(), buffer.size() - 1, 0);
  std::string holder(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  return holder.empty() ? "another process" : holder;
}

}  // namespace

std::string writer_of(const fs::path& file) {
  fs::path path = file;
  path += ".lock";
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (!fd || ::fstat(fd.get(), &facts) != 0) return "";
  // proc(5): "1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF". Locking it to find out would turn
  // away a writer that starts in this moment.
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    if (line.find(" FLOCK ") == line.npos || line.find(" WRITE ") == line.npos) continue;
    if (line.find(':' + std::to_string(facts.st_ino) + ' ') == line.npos) continue;
    return text_of_holder(fd.get());
  }
  return "";
}

base::UniqueFd take_writer_lock(const fs::path& file) {
  fs::path path = file;
  path += ".lock";
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) {
    throw StoreError(file.string() + " cannot be written: " + path.string() + ": " +
                     std::strerror(errno) + "; choose a folder that you may write to, with --db");
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      throw StoreError(path.string() + " cannot be locked: " + std::strerror(errno) +
                       "; put the database on a local disk, with --db");
    }
    throw WriterBusy(file.string() + " is being written by " + text_of_holder(fd.get()));
  }
  const std::string text =
      "process " + std::to_string(::getpid()) + " on " + host_name() + " since " + utc_now() + "\n";
  // Only a text for people: if it cannot be written, the lock still holds.
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), text.data(), text.size(), 0) < 0) {
    return fd;
  }
  return fd;
}

}  // namespace unmask::store
