#include "unit/store/failing_disk.hpp"

#include <cstddef>
#include <limits>
#include <stdexcept>

#include <sqlite3.h>

namespace unmask::store::testing {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// SQLite calls back through plain functions, so what they need stands here.
struct State {
  sqlite3_vfs* real = nullptr;
  sqlite3_vfs ours{};
  std::int64_t count = 0;
  std::int64_t at = kNever;
  DiskFailure how = DiskFailure::kFull;
  bool has_failed = false;
};

State& state() {
  static State one;
  return one;
}

// SQLITE_OK, or what the operation at hand fails with.
int next(int error_code) {
  State& s = state();
  const std::int64_t number = s.count++;
  const bool fails = s.how == DiskFailure::kOnce ? number == s.at : number >= s.at;
  if (!fails) return SQLITE_OK;
  s.has_failed = true;
  return s.how == DiskFailure::kOnce ? error_code : SQLITE_FULL;
}

// Ours in front of the real file, whose size is known at run time only.
struct File {
  sqlite3_file base;
  sqlite3_file* real;
};

sqlite3_file* real_of(sqlite3_file* file) {
  return reinterpret_cast<File*>(file)->real;
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  sqlite3_file* real = real_of(file);
  const int code = next(SQLITE_IOERR_WRITE);
  if (code == SQLITE_OK) return real->pMethods->xWrite(real, bytes, size, offset);
  const State& s = state();
  if (s.how == DiskFailure::kFullHalfway && s.count == s.at + 1) {
    real->pMethods->xWrite(real, bytes, size / 2, offset);
  }
  return code;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  // A disk that is full can still make a file shorter.
  const bool is_full = state().how != DiskFailure::kOnce;
  const int code = is_full ? SQLITE_OK : next(SQLITE_IOERR_TRUNCATE);
  sqlite3_file* real = real_of(file);
  return code == SQLITE_OK ? real->pMethods->xTruncate(real, size) : code;
}

int sync(sqlite3_file*, int) {
  const bool is_full = state().how != DiskFailure::kOnce;
  return is_full ? SQLITE_OK : next(SQLITE_IOERR_FSYNC);
}

int map_shared(sqlite3_file* file, int page, int size, int extend, void volatile** into) {
  // Growing the index of the write-ahead log takes room, too.
  const int code = extend != 0 ? next(SQLITE_IOERR_SHMSIZE) : SQLITE_OK;
  sqlite3_file* real = real_of(file);
  return code == SQLITE_OK ? real->pMethods->xShmMap(real, page, size, extend, into) : code;
}

// The rest is passed on.
const sqlite3_io_methods kMethods = {
    .iVersion = 2,  // no memory mapping: every byte comes through here
    .xClose = [](sqlite3_file* f) { return real_of(f)->pMethods->xClose(real_of(f)); },
    .xRead =
        [](sqlite3_file* f, void* bytes, int size, sqlite3_int64 offset) {
          return real_of(f)->pMethods->xRead(real_of(f), bytes, size, offset);
        },
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize =
        [](sqlite3_file* f, sqlite3_int64* size) {
          return real_of(f)->pMethods->xFileSize(real_of(f), size);
        },
    .xLock = [](sqlite3_file* f,
                int lock) { return real_of(f)->pMethods->xLock(real_of(f), lock); },
    .xUnlock = [](sqlite3_file* f,
                  int lock) { return real_of(f)->pMethods->xUnlock(real_of(f), lock); },
    .xCheckReservedLock =
        [](sqlite3_file* f, int* is_locked) {
          return real_of(f)->pMethods->xCheckReservedLock(real_of(f), is_locked);
        },
    .xFileControl =
        [](sqlite3_file* f, int what, void* value) {
          return real_of(f)->pMethods->xFileControl(real_of(f), what, value);
        },
    .xSectorSize = [](sqlite3_file* f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); },
    .xDeviceCharacteristics =
        [](sqlite3_file* f) { return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f)); },
    .xShmMap = map_shared,
    .xShmLock =
        [](sqlite3_file* f, int offset, int n, int flags) {
          return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
        },
    .xShmBarrier = [](sqlite3_file* f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); },
    .xShmUnmap =
        [](sqlite3_file* f, int is_deleted) {
          return real_of(f)->pMethods->xShmUnmap(real_of(f), is_deleted);
        },
    .xFetch = nullptr,
    .xUnfetch = nullptr};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  State& s = state();
  file->pMethods = nullptr;
  auto* ours = reinterpret_cast<File*>(file);
  ours->real = reinterpret_cast<sqlite3_file*>(ours + 1);
  ours->real->pMethods = nullptr;
  const bool is_made = (flags & SQLITE_OPEN_CREATE) != 0 && name != nullptr;
  if (is_made) {
    if (const int code = next(SQLITE_CANTOPEN); code != SQLITE_OK) return code;
  }
  const int code = s.real->xOpen(s.real, name, ours->real, flags, flags_out);
  if (ours->real->pMethods != nullptr) file->pMethods = &kMethods;
  return code;
}

int remove(sqlite3_vfs*, const char* name, int syncs) {
  State& s = state();
  const int code = s.how == DiskFailure::kOnce ? next(SQLITE_IOERR_DELETE) : SQLITE_OK;
  return code == SQLITE_OK ? s.real->xDelete(s.real, name, syncs) : code;
}

}  // namespace

FailingDisk::FailingDisk() {
  State& s = state();
  s.real = sqlite3_vfs_find(nullptr);
  if (s.real == nullptr) throw std::runtime_error("SQLite has no file system");
  s.ours = *s.real;
  s.ours.pNext = nullptr;
  s.ours.zName = "failing";
  s.ours.szOsFile = static_cast<int>(sizeof(File)) + s.real->szOsFile;
  s.ours.xOpen = open;
  s.ours.xDelete = remove;
  heal();
  sqlite3_vfs_register(&s.ours, 1);
}

FailingDisk::~FailingDisk() {
  sqlite3_vfs_unregister(&state().ours);
  sqlite3_vfs_register(state().real, 1);
}

void FailingDisk::fail_at(std::int64_t at, DiskFailure how) {
  State& s = state();
  s.count = 0;
  s.at = at;
  s.how = how;
  s.has_failed = false;
}

void FailingDisk::heal() {
  fail_at(kNever, DiskFailure::kOnce);
}

std::int64_t FailingDisk::operations() const {
  return state().count;
}

bool FailingDisk::has_failed() const {
  return state().has_failed;
}

}  // namespace unmask::store::testing
