#pragma once
// A folder with a manifest and a database of its own, and `unmask` run in it as a user would.

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/child.hpp"
#include "base/files.hpp"

namespace unmask::test {

/// What a command printed and how it ended.
struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

/// A study that takes about two seconds: strokes, a ResNet and an ODE ResNet of 8 channels, one
/// epoch on 100 images, attacks on 20 images.
std::string small_manifest();

/// The same with one attack more, called "bad".
std::string with_attack(const std::string& definition);

class Sandbox {
 public:
  Sandbox();

  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  std::filesystem::path database() const { return path("db.sqlite"); }

  /// Write a file in the folder and return its path.
  std::filesystem::path write(const std::string& name, const std::string& text) const;

  /// Variables for `unmask`, "NAME=value". By default all sandboxes share a folder of remembered
  /// answers, beside the program under test.
  void set_environment(std::vector<std::string> variables) { environment_ = std::move(variables); }
  const std::vector<std::string>& environment() const { return environment_; }

  /// Run `unmask` with arguments to its end.
  Outcome unmask(const std::vector<std::string>& arguments) const;

  /// `unmask run MANIFEST --db <database> --progress none ...`
  Outcome run(const std::filesystem::path& manifest,
              const std::vector<std::string>& more = {}) const;

  /// All values that a study yields, as text, in a fixed order: everything but times, attempts and
  /// what names the machine. Two databases with equal text hold the same results.
  std::string results() const;
  static std::string results_of(const std::filesystem::path& database);

  /// The answer to one query as CSV without its header line.
  std::string ask(const std::string& sql) const;

 private:
  base::TempFolder folder_;
  std::vector<std::string> environment_;
};

/// `unmask run ... --progress json`, watched line by line, so that a test can act in the middle of
/// it.
class WatchedRun {
 public:
  WatchedRun(const Sandbox& sandbox,
             const std::filesystem::path& manifest,
             const std::vector<std::string>& more = {});
  /// @param arguments  all of them, "run" included
  WatchedRun(const Sandbox& sandbox, const std::vector<std::string>& arguments);
  ~WatchedRun();
  WatchedRun(const WatchedRun&) = delete;
  WatchedRun& operator=(const WatchedRun&) = delete;

  pid_t pid() const { return pid_; }

  /// Wait for the next event of this name. Throws when the run ends before.
  nlohmann::json wait_for(const std::string& event);

  /// Wait for the end of the process; its exit status.
  base::ExitStatus wait();

 private:
  pid_t pid_ = -1;
  base::UniqueFd out_;
  std::string buffer_;
};

}  // namespace unmask::test
