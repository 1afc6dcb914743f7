#include "fingerprint/fingerprint.hpp"

#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <stdexcept>

#include "fingerprint/tokens.hpp"
#include "unmask/sha256.hpp"

namespace unmask::fingerprint {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read \"" + file.string() + "\"");
  return {std::istreambuf_iterator<char>(in), {}};
}

// Headers of the SDK do not count, wherever they are: what they compute is under the host's own version, kSemantics.
bool belongs_to_sdk(const std::string& name) {
  return name.starts_with("unmask/") && !name.starts_with("unmask/kit/");
}

// The file that `name` means inside `file`, as the compiler looks for it.
std::optional<fs::path> find_header(const std::string& name,
                                    const fs::path& file,
                                    const std::vector<fs::path>& folders) {
  if (belongs_to_sdk(name)) return std::nullopt;
  std::vector<fs::path> places = {file.parent_path()};
  places.insert(places.end(), folders.begin(), folders.end());
  for (const fs::path& place : places) {
    fs::path candidate = (place / name).lexically_normal();
    std::error_code error;
    if (fs::is_regular_file(candidate, error)) return candidate;
  }
  return std::nullopt;
}

// The files in the order in which a reader meets them, each once. Names do not count: moving a header changes no number.
class Walk {
 public:
  explicit Walk(const std::vector<fs::path>& folders) : folders_(folders) {}

  void visit(const fs::path& file) {
    if (!seen_.insert(fs::weakly_canonical(file)).second) return;
    files_.push_back(file);
    const SourceText source = read_tokens(read_file(file));
    digests_ += sha256_hex(source.tokens) + "\n";
    for (const std::string& name : source.quoted_includes) {
      if (const auto header = find_header(name, file, folders_)) visit(*header);
    }
  }

  Fingerprint result() && { return {sha256_hex(digests_), std::move(files_)}; }

 private:
  const std::vector<fs::path>& folders_;
  std::set<fs::path> seen_;
  std::vector<fs::path> files_;
  std::string digests_;
};

}  // namespace

Fingerprint fingerprint_of(const std::vector<fs::path>& sources,
                           const std::vector<fs::path>& folders) {
  Walk walk(folders);
  for (const fs::path& source : sources) walk.visit(source);
  return std::move(walk).result();
}

}  // namespace unmask::fingerprint
