#include "engine/remembered_dataset.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file_stamp.hpp"
#include "base/files.hpp"
#include "unmask/errors.hpp"
#include "unmask/params.hpp"
#include "unmask/safetensors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

constexpr const char* kKind = "content";
constexpr std::string_view kMagic = "unmask-images-1 ";
constexpr const char* kExtension = ".images";
constexpr std::size_t kHashLength = 64;
constexpr std::uintmax_t kCopyBytesPerSecond = 500'000'000;

json to_json(const DatasetInfo& info) {
  return {{"channels", info.channels},
          {"height", info.height},
          {"width", info.width},
          {"num_classes", info.num_classes},
          {"train_count", info.train_count},
          {"test_count", info.test_count},
          {"class_names", info.class_names}};
}

DatasetInfo info_from(const json& j) {
  return {j.at("channels").get<std::int64_t>(),
          j.at("height").get<std::int64_t>(),
          j.at("width").get<std::int64_t>(),
          j.at("num_classes").get<std::int64_t>(),
          j.at("train_count").get<std::int64_t>(),
          j.at("test_count").get<std::int64_t>(),
          j.at("class_names").get<std::vector<std::string>>()};
}

std::uintmax_t bytes_of(const Samples& samples) {
  return static_cast<std::uintmax_t>(samples.images.numel()) *
         static_cast<std::uintmax_t>(samples.images.element_size());
}

// Make room: files that were not used for longest go, and what killed processes left half written.
void prune(const fs::path& folder, std::uintmax_t most_bytes) {
  struct File {
    fs::file_time_type time;
    std::uintmax_t size;
    fs::path path;
  };
  std::vector<File> files;
  std::uintmax_t total = 0;
  std::error_code ignored;
  const auto now = fs::file_time_type::clock::now();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    std::error_code error;
    const fs::file_time_type time = entry.last_write_time(error);
    const std::uintmax_t size = error ? 0 : entry.file_size(error);
    if (error) continue;  // another process has just removed it, or it is no file
    if (entry.path().extension() == ".tmp" && now - time > std::chrono::hours(1)) {
      fs::remove(entry.path(), ignored);
    } else if (entry.path().extension() == kExtension) {
      files.push_back({time, size, entry.path()});
      total += size;
    }
  }
  std::sort(
      files.begin(), files.end(), [](const File& a, const File& b) { return a.time < b.time; });
  for (std::size_t i = 0; i < files.size() && total > most_bytes; ++i) {
    if (fs::remove(files[i].path, ignored)) total -= files[i].size;
  }
}

class RememberedDataset final : public Dataset {
 public:
  RememberedDataset(std::unique_ptr<Dataset> dataset,
                    const catalog::PluginRecord& plugin,
                    const json& params,
                    DatasetMemory memory)
      : dataset_(std::move(dataset)),
        plugin_(plugin),
        params_(json::object()),
        memory_(std::move(memory)) {
    for (const ParamSpec& spec : plugin.params) {
      if (params.contains(spec.name)) params_[spec.name] = params.at(spec.name);
    }
  }

  DatasetInfo describe() override {
    recall();
    if (!info_) {
      info_ = dataset_->describe();
      keep();
    }
    return *info_;
  }

  std::string content_hash() override {
    recall();
    if (!content_) {
      content_ = dataset_->content_hash();
      keep();
    }
    return *content_;
  }

  Samples load(Split split) override {
    const fs::path file = file_of(split, content_hash());
    if (std::optional<Samples> kept = read(file)) return *std::move(kept);
    const auto start = SteadyClock::now();
    Samples samples = dataset_->load(split);
    const std::chrono::duration<double> taken = SteadyClock::now() - start;
    const std::chrono::duration<double> of_a_copy(static_cast<double>(bytes_of(samples)) /
                                                  static_cast<double>(kCopyBytesPerSecond));
    const bool was_slow = taken > memory_.worth_keeping + of_a_copy;
    // The plugin may have looked at the files only now, after they were vouched for.
    if (question_ != question()) {
      throw DataError("the files of the data set " + plugin_.id +
                      " changed while they were read; do not write to a data set in use");
    }
    if (was_slow && !question_.is_null()) write(file, samples);
    return samples;
  }

 private:
  // Null while a file changes or nobody can say what it is.
  json question() const {
    json files = json::object();
    for (const ParamSpec& spec : plugin_.params) {
      const bool names_files = spec.type == ParamType::kPath || spec.type == ParamType::kFile;
      if (!names_files || !params_.contains(spec.name)) continue;
      const auto stamp = base::tree_stamp(params_.at(spec.name).get<std::string>(), memory_.now);
      if (!stamp) return nullptr;
      files[spec.name] = *stamp;
    }
    return {{"library", plugin_.file_sha256}, {"params", params_}, {"files", std::move(files)}};
  }

  void recall() {
    if (has_asked_) return;
    has_asked_ = true;
    question_ = question();
    if (question_.is_null()) return;
    try {
      if (const auto known = memory_.answers.find(kKind, question_)) {
        content_ = known->at("content").get<std::string>();
        info_ = info_from(known->at("info"));
      }
    } catch (const json::exception&) {
      content_.reset();  // of a version that wrote otherwise
    }
  }

  void keep() {
    if (question_.is_null() || !content_ || !info_ || question_ != question()) return;
    memory_.answers.store(kKind, question_, {{"content", *content_}, {"info", to_json(*info_)}});
  }

  fs::path file_of(Split split, const std::string& content) const {
    if (memory_.pictures.empty()) return {};
    const std::string name = split == Split::kTrain ? "train" : "test";
    return memory_.pictures /
           (sha256_hex(plugin_.fingerprint + content + name).substr(0, 32) + kExtension);
  }

  static std::optional<Samples> read(const fs::path& file) {
    std::error_code error;
    if (file.empty() || !fs::exists(file, error)) return std::nullopt;
    try {
      const std::string bytes = base::read_file(file);
      const std::size_t start = kMagic.size() + kHashLength + 1;
      if (bytes.size() < start || !bytes.starts_with(kMagic)) return std::nullopt;
      const std::string_view body = std::string_view(bytes).substr(start);
      if (sha256_hex(body) != bytes.substr(kMagic.size(), kHashLength)) return std::nullopt;
      const TensorFile tensors = parse_safetensors(body, file.string());
      const Tensor* images = tensors.find("images");
      const Tensor* labels = tensors.find("labels");
      if (images == nullptr || labels == nullptr) return std::nullopt;
      fs::last_write_time(file, fs::file_time_type::clock::now(), error);
      return Samples{*images, *labels};
    } catch (const std::exception&) {
      return std::nullopt;  // as if it were not there
    }
  }

  void write(const fs::path& file, const Samples& samples) const {
    if (file.empty()) return;
    if (bytes_of(samples) > memory_.most_bytes / 2) return;
    try {
      std::string bytes =
          safetensors_bytes({{"images", samples.images}, {"labels", samples.labels}});
      bytes.insert(0, std::string(kMagic) + sha256_hex(bytes) + "\n");
      base::write_file_atomically(file, bytes);
      prune(memory_.pictures, memory_.most_bytes);
    } catch (const std::exception&) {
      // No room, or no right to write: they are decoded again next time.
    }
  }

  std::unique_ptr<Dataset> dataset_;
  const catalog::PluginRecord& plugin_;
  json params_;
  DatasetMemory memory_;
  bool has_asked_ = false;
  json question_;
  std::optional<std::string> content_;
  std::optional<DatasetInfo> info_;
};

}  // namespace

std::unique_ptr<Dataset> remembered(std::unique_ptr<Dataset> dataset,
                                    const catalog::PluginRecord& plugin,
                                    const json& params,
                                    DatasetMemory memory) {
  if (!plugin.capabilities.contains("content_from_params")) return dataset;
  return std::make_unique<RememberedDataset>(std::move(dataset), plugin, params, std::move(memory));
}

}  // namespace unmask::engine
