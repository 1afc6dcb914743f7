// unmask db: what a database is, copies of it, and the removal of files that nothing refers to.

#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "base/counted.hpp"
#include "base/unique_fd.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "run/memory.hpp"
#include "store/maintenance.hpp"
#include "store/writer_lock.hpp"
#include "table/table.hpp"
#include "text/shell_words.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

int info(const CommandLine& line) {
  const store::Store store = store::Store::open_reader(line.database());
  const table::Format format = table::parse_format(line.get<std::string>("format"));
  const std::string newer = store.newer_than_this();
  if (!newer.empty()) std::cerr << "note: " << newer << "\n";
  const table::Table facts = store::describe(store, line.has("check"));
  table::print(std::cout, facts, format);
  for (const auto& row : facts.rows) {
    const std::string name = std::get<std::string>(row[0]);
    const bool is_check = name.ends_with(" check") || name == "foreign keys";
    if (is_check && std::get<std::string>(row[1]) != "ok") {
      throw StoreError(store.file().string() + " is damaged: " + std::get<std::string>(row[1]));
    }
  }
  return 0;
}

// "results/unmask.sqlite" -> "results/unmask.backup.sqlite"
fs::path default_copy(const fs::path& database, const char* word) {
  fs::path copy = database;
  copy.replace_extension();
  copy += std::string(".") + word + database.extension().string();
  return copy;
}

int copy(const CommandLine& line, store::CopyKind kind) {
  const bool is_sealed = kind == store::CopyKind::kSealed;
  const fs::path target = line.has("copy")
                              ? fs::path(line.get<std::string>("copy"))
                              : default_copy(line.database(), is_sealed ? "sealed" : "backup");
  store::copy_to(store::Store::open_reader(line.database()), target, kind, line.has("force"));
  std::cout << target.string();
  if (is_sealed) std::cout << " " << sha256_file(target);
  std::cout << "\n";
  if (is_sealed) {
    std::cerr << "sealed: one file that is only read; checkpoints, kept images and logs are not in "
                 "it\n";
  }
  return 0;
}

// Nobody may write what refers to files while they are removed. Files that were never opened for
// writing under their name (backups) have no lock.
std::vector<base::UniqueFd> lock_all(const fs::path& folder) {
  std::vector<base::UniqueFd> locks;
  for (const fs::path& file : store::databases_in(folder)) {
    std::error_code error;
    if (fs::exists(file.string() + ".lock", error)) locks.push_back(store::take_writer_lock(file));
  }
  return locks;
}

int collect_garbage(const CommandLine& line) {
  // Looks whether it is a database at all.
  const store::Store store = store::Store::open_reader(line.database());
  const auto folders = store::ResultFolders::of(line.database());
  const bool is_meant = line.has("yes");
  const std::vector<base::UniqueFd> locks =
      is_meant ? lock_all(folders.database.parent_path()) : std::vector<base::UniqueFd>{};
  const std::vector<store::Garbage> garbage = store::find_garbage(folders);
  table::Table list{{"bytes", "why", "path"}, {}};
  std::uintmax_t bytes = 0;
  std::size_t kept = 0;
  for (const store::Garbage& item : garbage) {
    std::error_code error;
    if (is_meant) fs::remove_all(item.path, error);
    if (error) {
      ++kept;
      std::cerr << "note: cannot remove " << item.path.string() << ": " << error.message() << "\n";
      continue;
    }
    bytes += item.bytes;
    list.rows.push_back({static_cast<std::int64_t>(item.bytes), item.why, item.path.string()});
  }
  table::print(std::cout, list, table::parse_format(line.get<std::string>("format")));
  std::cerr << base::counted(list.rows.size(), "thing") << ", "
            << run::memory_text(static_cast<std::int64_t>(bytes))
            << (is_meant ? ", removed\n" : " that nothing refers to\n");
  if (!is_meant && !garbage.empty()) {
    const std::string writer = store::writer_of(folders.database);
    if (!writer.empty()) {
      std::cerr << "note: " << writer << " writes to the database: some of these may be in use\n";
    }
    std::cerr << "to remove them: "
              << words::shell_command(
                     {"unmask", "db", "gc", "--db", line.database().string(), "--yes"})
              << "\n";
  }
  return kept == 0 ? 0 : static_cast<int>(ExitCode::kStore);
}

int migrate(const CommandLine& line) {
  if (!fs::exists(line.database())) {
    throw StoreError("there is no results database " + line.database().string() +
                     "; --db names another");
  }
  const store::Store store = store::Store::open_writer(line.database());
  std::cout << store.file().string() << " is up to date\n";
  return 0;
}

}  // namespace

int command_db(const Arguments& arguments) {
  CommandLine line(
      "db info | backup [COPY] | seal [COPY] | gc | migrate [options]",
      "info: what the database is and holds, and whether it is damaged (--check: look "
      "everywhere).\n"
      "backup: a copy that can be written again, made while runs go on.\n"
      "seal: a copy to send or archive: one file that is only read. Prints its SHA-256.\n"
      "gc: list checkpoints, kept images, logs and temporary files that no database of the folder "
      "refers to;\n  --yes removes them.\n"
      "migrate: bring a file of an older unmask up to date, after a backup (runs do that, too).");
  line.positional("action", "info, backup, seal, gc or migrate");
  line.positional("copy", "the file to make");
  line.options().add_options()("format",
                               po::value<std::string>()->default_value("table"),
                               "table, csv, json, markdown, latex")(
      "check", "info: look for damage everywhere, not only quickly")(
      "force", "backup, seal: replace an existing file")("yes", "gc: remove what is listed");
  line.add_database();
  if (!line.parse(arguments)) return 0;
  const std::string action = line.required("action");
  if (line.has("copy") && action != "backup" && action != "seal") {
    throw UsageError("unmask db " + action + " takes no argument; \"" +
                     line.get<std::string>("copy") + "\" is too much");
  }
  if (action == "info") return info(line);
  if (action == "backup") return copy(line, store::CopyKind::kBackup);
  if (action == "seal") return copy(line, store::CopyKind::kSealed);
  if (action == "gc") return collect_garbage(line);
  if (action == "migrate") return migrate(line);
  throw UsageError(
      "unknown action \"" + action + "\"\n" +
      words::help_for_unknown(action, {"info", "backup", "seal", "gc", "migrate"}, "actions"));
}

}  // namespace unmask::cli
