#include "manifest/reader.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <system_error>

#include "catalog/verdict_thresholds.hpp"
#include "manifest/definitions.hpp"
#include "manifest/keys.hpp"
#include "manifest/matrix.hpp"
#include "manifest/text.hpp"
#include "manifest/time_limit.hpp"
#include "unmask/sha256.hpp"

namespace unmask::manifest {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 64;

// Reads a file and everything it extends, and lays them upon each other.
class FileReader {
 public:
  explicit FileReader(Reporter& reporter) : reporter_(reporter) {}

  /// The merged tree; nullopt when the file itself could not be read.
  std::optional<Node> load_main(const fs::path& file) {
    std::string text;
    const std::string name = file.string();
    if (const std::string problem = read(file, text); !problem.empty()) {
      Diagnostic d;
      d.code = fs::exists(file) && !fs::is_directory(file) && problem.rfind("larger", 0) == 0
                   ? code::kLimit
                   : code::kUnreadable;
      d.file = name;
      d.message = problem;
      reporter_.add(std::move(d));
      return std::nullopt;
    }
    return load(file, name, std::move(text));
  }

  const Source* main_source() const { return sources_.empty() ? nullptr : sources_.front().get(); }
  const std::map<const Source*, fs::path>& folders() const { return folders_; }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& source : sources_) out.push_back(source->name());
    return out;
  }

 private:
  // "" or why it cannot be read.
  static std::string read(const fs::path& file, std::string& text) {
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    if (!fs::exists(status)) return "there is no such file";
    if (fs::is_directory(status)) return "this is a folder, not a file";
    std::ifstream in(file, std::ios::binary);
    if (!in) return "the file cannot be opened for reading";
    std::vector<char> block(std::size_t{1} << 16U);
    while (in && text.size() <= kLargestFile) {
      in.read(block.data(), static_cast<std::streamsize>(block.size()));
      text.append(block.data(), static_cast<std::size_t>(in.gcount()));
    }
    if (in.bad()) return "the file cannot be read";
    if (text.size() > kLargestFile) {
      return "larger than the limit of " + std::to_string(kLargestFile >> 20U) +
             " MiB for a manifest";
    }
    return "";
  }

  static std::string identity(const fs::path& file) {
    std::error_code error;
    const fs::path canonical = fs::weakly_canonical(file, error);
    return error ? file.lexically_normal().string() : canonical.string();
  }

  std::optional<Node> load(const fs::path& file, const std::string& name, std::string text) {
    sources_.push_back(std::make_unique<Source>(name, std::move(text)));
    Source& source = *sources_.back();
    folders_[&source] = fs::absolute(file).parent_path();
    std::optional<Node> root = source.parse(reporter_.raw());
    if (!root) return std::nullopt;
    if (!expect(*root, Node::Kind::kObject, "a manifest", reporter_)) return std::nullopt;
    check_version(*root);

    chain_.emplace_back(identity(file), name);
    std::optional<Node> base;
    if (const Node* extends = root->find("extends")) base = load_bases(*extends, file);
    chain_.pop_back();

    std::erase_if(root->members, [](const Member& m) { return m.key == "extends"; });
    if (!base) return root;
    Node merged = merge(*base, *root);
    drop_nulls(merged, Scope::kRoot);
    return merged;
  }

  // null takes an inherited key away. Where nothing is inherited there is nothing to take away, and it
  // stands for a key that is not written: so a manifest can undo another one without knowing it.
  static void drop_nulls(Node& object, Scope scope) {
    static const std::map<std::pair<Scope, std::string>, Scope> kParts = {
        {{Scope::kRoot, "train"}, Scope::kTrain},
        {{Scope::kRoot, "evaluate"}, Scope::kEvaluate},
        {{Scope::kTrain, "matrix"}, Scope::kTrainMatrix},
        {{Scope::kEvaluate, "matrix"}, Scope::kEvaluateMatrix}};
    const std::vector<std::string>& keys = keys_of(scope);
    std::erase_if(object.members, [&](const Member& member) {
      return member.value.is(Node::Kind::kNull) &&
             std::find(keys.begin(), keys.end(), member.key) != keys.end();
    });
    for (Member& member : object.members) {
      const auto part = kParts.find({scope, member.key});
      if (part != kParts.end()) drop_nulls(member.value, part->second);
    }
  }

  std::optional<Node> load_bases(const Node& extends, const fs::path& file) {
    if (!expect(extends, Node::Kind::kArray, "\"extends\" of a manifest", reporter_)) {
      reporter_.set_incomplete();
      return std::nullopt;
    }
    std::optional<Node> merged;
    for (const Node& item : extends.items) {
      if (!expect(item, Node::Kind::kString, "a file to extend", reporter_)) {
        reporter_.set_incomplete();
        continue;
      }
      const std::optional<Node> base = load_base(item, file);
      if (!base) {
        reporter_.set_incomplete();
      } else {
        merged = merged ? merge(*merged, *base) : *base;
      }
    }
    return merged;
  }

  std::optional<Node> load_base(const Node& item, const fs::path& file) {
    const fs::path path = (file.parent_path() / item.string).lexically_normal();
    const std::string id = identity(path);
    const auto on_chain =
        std::find_if(chain_.begin(), chain_.end(), [&](const auto& c) { return c.first == id; });
    if (on_chain != chain_.end()) {
      std::string cycle;
      for (auto step = on_chain; step != chain_.end(); ++step) {
        cycle += fs::path(step->second).filename().string() + " -> ";
      }
      reporter_.at_value(
          code::kCycle,
          item,
          "\"extends\" forms a cycle: " + cycle + fs::path(on_chain->second).filename().string());
      return std::nullopt;
    }
    if (const auto known = loaded_.find(id); known != loaded_.end()) return known->second;
    if (sources_.size() >= kMostFiles) {
      reporter_.at_value(
          code::kLimit,
          item,
          "a manifest may consist of at most " + std::to_string(kMostFiles) + " files");
      return std::nullopt;
    }
    std::string text;
    if (const std::string problem = read(path, text); !problem.empty()) {
      std::string help;
      if (problem == "there is no such file") {
        const auto near = nearest(path.filename().string(), neighbours(path));
        help = did_you_mean(near);
        help += (help.empty() ? "" : "\n") +
                std::string("paths in \"extends\" are relative to the file that holds them");
      }
      reporter_.at_value(code::kUnreadable,
                         item,
                         "cannot extend " + in_quotes(item.string) + ": " + problem,
                         help);
      return std::nullopt;
    }
    std::optional<Node> result = load(path, path.string(), std::move(text));
    loaded_[id] = result;
    return result;
  }

  // File names beside a missing one.
  static std::vector<std::string> neighbours(const fs::path& path) {
    std::vector<std::string> out;
    std::error_code error;
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      out.push_back(entry.path().filename().string());
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  void check_version(const Node& root) {
    const Node* version = root.find("version");
    if (version == nullptr || (version->is(Node::Kind::kInteger) && version->integer == 1)) return;
    reporter_.at_value(code::kVersion,
                       *version,
                       "this unmask reads manifests of version 1, found " + one_line(*version));
  }

  Reporter& reporter_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::map<const Source*, fs::path> folders_;
  std::map<std::string, std::optional<Node>> loaded_;
  std::vector<std::pair<std::string, std::string>> chain_;  // identity, name
};

const std::string* read_string(const Node& root, const char* key, Reporter& reporter) {
  const Node* node = root.find(key);
  if (node == nullptr) return nullptr;
  return expect(*node, Node::Kind::kString, "\"" + std::string(key) + "\"", reporter)
             ? &node->string
             : nullptr;
}

void read_run(const Node& run, Reporter& reporter, RunSettings& out) {
  if (!expect(run, Node::Kind::kObject, "\"run\"", reporter)) return;
  check_keys(run, Scope::kRun, reporter);
  const auto integer =
      [&](const Node& object, const char* key, int lowest, int highest) -> std::optional<int> {
    const Node* node = object.find(key);
    if (node == nullptr) return std::nullopt;
    if (!expect(*node, Node::Kind::kInteger, "\"" + std::string(key) + "\"", reporter)) {
      return std::nullopt;
    }
    if (node->integer < lowest || node->integer > highest) {
      reporter.at_value(code::kWrongValue,
                        *node,
                        "\"" + std::string(key) + "\" must be from " + std::to_string(lowest) +
                            " to " + std::to_string(highest));
      return std::nullopt;
    }
    return static_cast<int>(node->integer);
  };
  out.workers = integer(run, "workers", 1, 4096);
  out.threads = integer(run, "threads", 1, 4096);
  if (const Node* timeout = run.find("timeout"))
    out.timeout_s = read_time_limit(*timeout, reporter);
  if (const Node* retries = run.find("retries")) {
    if (expect(*retries, Node::Kind::kObject, "\"retries\"", reporter)) {
      check_keys(*retries, Scope::kRetries, reporter);
      for (const wire::FailureRule& rule : wire::failure_rules()) {
        if (!wire::may_be_retried(rule.failure_class)) continue;
        if (const auto count = integer(*retries, rule.name, 0, 100)) {
          out.retries[rule.failure_class] = *count;
        }
      }
    }
  }
  if (const Node* fail_fast = run.find("fail_fast")) {
    if (expect(*fail_fast, Node::Kind::kBoolean, "\"fail_fast\"", reporter)) {
      out.fail_fast = fail_fast->boolean;
    }
  }
}

// Thresholds of verdicts: how to look at results, nothing that a result depends on.
void read_verdict(const Node& verdict,
                  Reporter& reporter,
                  std::map<std::string, double>& thresholds) {
  if (!expect(verdict, Node::Kind::kObject, "\"verdict\"", reporter)) return;
  check_keys(verdict, Scope::kVerdict, reporter);
  for (const Member& member : verdict.members) {
    const catalog::VerdictThreshold* known = catalog::find_verdict_threshold(member.key);
    if (known == nullptr) continue;
    if (!member.value.is_number()) {
      reporter.at_value(
          code::kWrongType,
          member.value,
          in_quotes(member.key) + " must be a number, found " + kind_text(member.value),
          std::string(known->name) + ": " + known->meaning);
      continue;
    }
    const double value = member.value.number();
    if (value < known->lowest || value > known->highest) {
      reporter.at_value(code::kWrongValue,
                        member.value,
                        in_quotes(member.key) + " must be from " +
                            nlohmann::json(known->lowest).dump() + " to " +
                            nlohmann::json(known->highest).dump(),
                        std::string(known->name) + ": " + known->meaning);
      continue;
    }
    thresholds[member.key] = value;
  }
}

}  // namespace

ReadResult read_study(const std::filesystem::path& file, const catalog::Catalog& catalog) {
  Reporter reporter;
  FileReader files(reporter);
  Study study;
  const std::optional<Node> root = files.load_main(file);
  if (root) {
    study.file = file;
    study.text = files.main_source()->text();
    study.sha256 = sha256_hex(study.text);
    check_keys(*root, Scope::kRoot, reporter);
    if (root->find("version") == nullptr) {
      reporter.at_value(
          code::kMissingKey, *root, "the manifest has no \"version\"", "add \"version\": 1");
    }
    read_string(*root, "$schema", reporter);
    const std::string* name = read_string(*root, "name", reporter);
    study.name = name != nullptr && !name->empty() ? *name : file.stem().string();
    if (const std::string* text = read_string(*root, "description", reporter))
      study.description = *text;
    if (const std::string* dtype = read_string(*root, "dtype", reporter)) {
      if (*dtype != "float32" && *dtype != "float64") {
        reporter.at_value(code::kWrongValue,
                          *root->find("dtype"),
                          "dtype must be \"float32\" or \"float64\", found " + in_quotes(*dtype),
                          did_you_mean(nearest(*dtype, {"float32", "float64"})));
      } else {
        study.dtype = *dtype;
      }
    }
    if (const Node* run = root->find("run")) read_run(*run, reporter, study.run);
    if (const Node* verdict = root->find("verdict")) {
      read_verdict(*verdict, reporter, study.thresholds);
    }
    Paths paths(root->find("paths"), files.folders(), reporter);
    Definitions definitions(catalog, paths, reporter);
    definitions.read(root->find("define"));
    const Node* train = root->find("train");
    if (train == nullptr) {
      reporter.at_value(code::kMissingKey,
                        *root,
                        "the manifest has no \"train\"",
                        "name what is trained: \"train\": { \"matrix\": { ... } }");
    }
    expand(train, root->find("evaluate"), definitions, reporter, study);
  }
  ReadResult result;
  result.errors = reporter.take(files.names());
  if (result.errors.empty()) result.study = std::move(study);
  return result;
}

}  // namespace unmask::manifest
