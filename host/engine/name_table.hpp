#pragma once
// The names of tensors in a file that came from elsewhere, and what a model calls them.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace unmask::engine {

/// Rules "name in the file" -> "name in the model", tried from top to bottom; the first that fits
/// applies, and a name that none fits stays as it is. One `*` on the left stands for any
/// characters, one on the right for the same ones; null on the right leaves the tensor out.
class NameTable {
 public:
  /// Without rules every name stays.
  NameTable() = default;

  /// A JSON file with one object, for example {"module.*": "*", "*.num_batches_tracked": null}.
  /// Comments are allowed.
  /// @throws ManifestError that names every error in the file with line and column
  static NameTable read(const std::filesystem::path& file);

  bool empty() const { return rules_.empty(); }

  /// The name in the model; nullopt when the tensor is to be left out.
  std::optional<std::string> model_name(const std::string& file_name) const;

  /// The rules that apply to none of these names, as written.
  std::vector<std::string> unused(const std::vector<std::string>& file_names) const;

 private:
  struct Rule {
    std::string from;
    std::optional<std::string> to;
  };

  const Rule* rule_for(const std::string& file_name) const;

  std::vector<Rule> rules_;
};

}  // namespace unmask::engine
