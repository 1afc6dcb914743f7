#include "store/maintenance.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/files.hpp"
#include "base/unique_fd.hpp"
#include "store/database.hpp"
#include "store/file_system.hpp"
#include "store/migrations.hpp"
#include "store/stamps.hpp"
#include "store/writer_lock.hpp"

namespace unmask::store {
namespace {

namespace fs = std::filesystem;

std::int64_t bytes_of(const fs::path& file) {
  std::error_code error;
  const auto bytes = fs::file_size(file, error);
  return error ? 0 : static_cast<std::int64_t>(bytes);
}

fs::path with_suffix(fs::path file, const char* suffix) {
  file += suffix;
  return file;
}

std::string meta_value(Database& database, const std::string& key) {
  Statement find = database.prepare("read meta", "SELECT value FROM meta WHERE key = ?");
  find.bind(key);
  return find.step() ? find.text(0) : "";
}

// The settings of a copy that is written nowhere else: its mode, and whether it is sealed.
void finish_copy(const fs::path& file, CopyKind kind) {
  Database copy = Database::open(file, Database::Mode::kWrite);
  copy.enable_rollback();
  {
    Transaction transaction(copy);
    copy.execute("break the seal", "DELETE FROM meta WHERE key = 'sealed_at'");
    if (kind == CopyKind::kSealed) {
      copy.prepare("seal", "INSERT INTO meta(key, value) VALUES ('sealed_at', ?)")
          .bind(utc_now())
          .run();
    }
    transaction.commit();
  }
  const std::string found = copy.text("check the copy", "PRAGMA quick_check(1)");
  if (found != "ok") {
    throw StoreError("the copy is damaged (" + found + "); so is the database, or the disk");
  }
}

void sync(const fs::path& file) {
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) {
    throw StoreError(file.string() + " cannot be written: " + std::strerror(errno));
  }
}

// Removes what is unfinished, whichever way its scope is left.
class Leftover {
 public:
  explicit Leftover(fs::path file) : file_(std::move(file)) { remove(); }
  ~Leftover() { remove(); }
  Leftover(const Leftover&) = delete;
  Leftover& operator=(const Leftover&) = delete;

 private:
  void remove() {
    std::error_code ignored;
    fs::remove(file_, ignored);
    fs::remove(with_suffix(file_, "-journal"), ignored);
  }
  fs::path file_;
};

}  // namespace

table::Table describe(const Store& store, bool is_thorough) {
  Database& database = store.database();
  const fs::path& file = store.file();
  table::Table out{{"property", "value"}, {}};
  const auto add = [&](const char* name, table::Value value) {
    out.rows.push_back({std::string(name), std::move(value)});
  };
  const auto count = [&](const std::string& sql) { return database.integer("count", sql); };
  const std::int64_t page = count("PRAGMA page_size");
  add("file", file.string());
  add("bytes", bytes_of(file));
  add("bytes in the write-ahead log", bytes_of(with_suffix(file, "-wal")));
  add("bytes unused", page * count("PRAGMA freelist_count"));
  add("file system", file_system_of(file).name);
  add("journal mode", database.text("read journal mode", "PRAGMA journal_mode"));
  add("schema version", count("PRAGMA user_version"));
  add("schema version of this program", std::int64_t{schema_version()});
  add("uuid", meta_value(database, "uuid"));
  add("made at", meta_value(database, "created_at"));
  add("made by", meta_value(database, "created_by"));
  const std::string sealed = meta_value(database, "sealed_at");
  add("sealed at", sealed.empty() ? table::Value() : table::Value(sealed));
  const std::string writer = writer_of(file);
  add("written by", writer.empty() ? table::Value() : table::Value(writer));
  add("runs", count("SELECT count(*) FROM run"));
  add("cells", count("SELECT count(*) FROM cell"));
  add("results", count("SELECT count(*) FROM attempt WHERE state = 'done'"));
  add("failed attempts", count("SELECT count(*) FROM attempt WHERE state = 'failed'"));
  for (const char* kind : {"checkpoint", "adversarials"}) {
    const std::string name = kind;
    add(name == "checkpoint" ? "checkpoints" : "files of adversarial images",
        count("SELECT count(*) FROM " + name));
    add(name == "checkpoint" ? "bytes of checkpoints" : "bytes of adversarial images",
        count("SELECT coalesce(sum(bytes), 0) FROM " + name));
  }
  add(is_thorough ? "integrity check" : "quick check",
      database.text("check", is_thorough ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)"));
  if (is_thorough) {
    Statement broken = database.prepare("check foreign keys", "PRAGMA foreign_key_check");
    add("foreign keys", std::string(broken.step() ? "broken in table " + broken.text(0) : "ok"));
  }
  return out;
}

void copy_to(const Store& store, const fs::path& given, CopyKind kind, bool may_replace) {
  const fs::path target = ResultFolders::of(given).database;
  if (target == store.file()) {
    throw StoreError(target.string() + " is the database itself; name another file for the copy");
  }
  std::error_code error;
  if (!may_replace && fs::exists(target, error)) {
    throw StoreError(target.string() + " exists; name another file, or say --force");
  }
  fs::create_directories(target.parent_path(), error);
  const fs::path partial = with_suffix(target, ".partial");
  const Leftover leftover(partial);
  store.database().prepare("copy", "VACUUM INTO ?").bind(partial.string()).run();
  finish_copy(partial, kind);
  if (kind == CopyKind::kSealed && ::chmod(partial.c_str(), 0444) != 0) {
    throw StoreError(partial.string() + " cannot be closed for writing: " + std::strerror(errno));
  }
  sync(partial);
  fs::rename(partial, target, error);
  if (error) throw StoreError(target.string() + " cannot be made: " + error.message());
  base::sync_folder(target.parent_path());
}

}  // namespace unmask::store
