// What lies beside a database and nothing refers to.

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>
#include <system_error>

#include "store/database.hpp"
#include "store/maintenance.hpp"
#include "store/migrations.hpp"

namespace unmask::store {
namespace {

namespace fs = std::filesystem;

// Where SQLite's header holds the application's mark (fileformat2.html).
constexpr std::size_t kMarkOffset = 68;

bool is_results_database(const fs::path& file) {
  std::array<char, kMarkOffset + 4> head{};
  std::ifstream in(file, std::ios::binary);
  if (!in.read(head.data(), head.size())) return false;
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  if (std::string_view(head.data(), kMagic.size()) != kMagic) return false;
  std::uint32_t mark = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    mark = mark << 8 | static_cast<unsigned char>(head[kMarkOffset + i]);
  }
  return mark == kApplicationId;
}

// What databases refer to.
struct References {
  std::set<std::string> checkpoints, adversarials;  // paths in their folders
  std::set<std::string> runs;                       // whose logs a failure names
  std::set<std::string> asked, recorded;            // keys of trainings: known; with a result
};

void collect(Database& database, std::string_view sql, std::set<std::string>& into) {
  Statement rows = database.prepare("collect references", sql);
  while (rows.step()) into.insert(rows.text(0));
}

void collect(const fs::path& file, References& references) {
  Database database = Database::open(file, Database::Mode::kRead);
  if (check_identity(database) == 0) return;
  collect(database, "SELECT path FROM checkpoint", references.checkpoints);
  collect(database, "SELECT path FROM adversarials", references.adversarials);
  collect(database,
          "SELECT 'run-' || r.id FROM run r WHERE r.state = 'running' OR EXISTS "
          "(SELECT 1 FROM attempt a WHERE a.run_id = r.id AND a.state = 'failed' "
          "AND a.log_tail LIKE '%/run-' || r.id || '/%')",
          references.runs);
  collect(database, "SELECT key FROM cell WHERE kind = 'train'", references.asked);
  collect(database,
          "SELECT c.key FROM cell c JOIN attempt a ON a.cell_id = c.id "
          "WHERE c.kind = 'train' AND a.state = 'done'",
          references.recorded);
}

References references_of(const fs::path& folder) {
  References references;
  for (const fs::path& file : databases_in(folder)) {
    try {
      collect(file, references);
    } catch (const StoreError& error) {
      throw StoreError(
          file.string() +
          " lies in the same folder and cannot be read, so nobody knows what it refers "
          "to; move it elsewhere first. " +
          error.what());
    }
  }
  return references;
}

std::uintmax_t size_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const auto bytes = fs::file_size(path, error);
    return error ? 0 : bytes;
  }
  std::uintmax_t bytes = 0;
  for (fs::recursive_directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored)) bytes += at->file_size(ignored);
  }
  return bytes;
}

// Regular files below a folder, with their names relative to it.
std::map<std::string, fs::path> files_below(const fs::path& folder) {
  std::map<std::string, fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored) && !at->is_symlink(ignored)) {
      files[at->path().lexically_relative(folder).generic_string()] = at->path();
    }
  }
  return files;
}

std::string why_unfinished(const std::string& name, const References& references) {
  const std::string key = name.substr(0, name.find('.'));
  if (!references.asked.contains(key)) return "a training that no database here knows";
  return references.recorded.contains(key) ? "a training that is recorded" : "";
}

// Only names that this program gives: a file of somebody else stays.
void look_through(const fs::path& folder,
                  const std::set<std::string>& referred,
                  const References& references,
                  std::vector<Garbage>& garbage) {
  const std::string unfinished = "unfinished/";
  for (const auto& [name, path] : files_below(folder)) {
    const std::string file = path.filename().string();
    std::string why;
    if (file.starts_with('.') && file.ends_with(".tmp")) {
      why = "left behind by a process that was killed";
    } else if (name.starts_with(unfinished)) {
      why = why_unfinished(name.substr(unfinished.size()), references);
    } else if (file.ends_with(".safetensors") && !referred.contains(name)) {
      why = "no database here refers to it";
    }
    if (!why.empty()) garbage.push_back({path, size_of(path), why});
  }
}

void look_through_logs(const fs::path& folder,
                       const References& references,
                       std::vector<Garbage>& garbage) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with("run-") || references.runs.contains(name)) continue;
    garbage.push_back({at->path(), size_of(at->path()), "no failure refers to these logs"});
  }
}

}  // namespace

std::vector<fs::path> databases_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored) && is_results_database(at->path())) {
      files.push_back(at->path());
    }
  }
  if (error) {
    throw StoreError("folder " + folder.string() + " cannot be read: " + error.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<Garbage> find_garbage(const ResultFolders& folders) {
  const References references = references_of(folders.database.parent_path());
  std::vector<Garbage> garbage;
  look_through(folders.checkpoints, references.checkpoints, references, garbage);
  look_through(folders.adversarials, references.adversarials, references, garbage);
  look_through_logs(folders.logs, references, garbage);
  std::sort(garbage.begin(), garbage.end(), [](const Garbage& a, const Garbage& b) {
    return a.path < b.path;
  });
  return garbage;
}

}  // namespace unmask::store
