// Pictures in folders, one folder for each class: the layout that most people have.

#include <algorithm>
#include <cctype>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "decode.hpp"
#include "unmask/images.hpp"
#include "unmask/kit/data/files.hpp"
#include "unmask/kit/data/parallel.hpp"
#include "unmask/plugin.hpp"
#include "unmask/sha256.hpp"

namespace unmask {
namespace {

namespace fs = std::filesystem;
using image_folder::DecodeError;
using image_folder::Picture;
using image_folder::PictureInfo;

constexpr const char* kLayout =
    "the folders train and test (or one of them) with a folder of PNG and JPEG files for each "
    "class, or, with \"test_fraction\", the folders of the classes";

struct Entry {
  fs::path file;
  std::int64_t label = 0;
  std::string sha256;
  PictureInfo picture;
};

/// Everything but the pixels.
struct Listing {
  std::vector<std::string> classes;
  std::vector<Entry> train;
  std::vector<Entry> test;
  DatasetInfo info;
};

bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with(".");
}

bool has_picture_name(const fs::path& file) {
  std::string extension = file.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

class ImageFolder final : public Dataset {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "PNG and JPEG files in one folder for each class",
            .source = "own; specified in image_folder.md",
            .params = {path("folder",
                            "holds train/CLASS/*.png and test/CLASS/*.png (.jpg, .jpeg); with "
                            "test_fraction CLASS/*.png"),
                       real("test_fraction",
                            "the folder holds the classes themselves, and about this share of the "
                            "files, chosen by their SHA-256, is the test split")
                           .above(0)
                           .below(1)
                           .optional(),
                       integer("size",
                               "height and width of the images; required when the files differ; "
                               "left out: that of the files")
                           .at_least(1)
                           .at_most(1024)
                           .unit("pixels")
                           .optional(),
                       choice("fit",
                              {"stretch", "crop"},
                              "how a file that is not square gets its size: stretch each axis on "
                              "its own, or cut out the square in the middle first")
                           .by_default("stretch")},
            .capabilities = {"content_from_params"}};
  }

  explicit ImageFolder(const Params& params)
      : folder_{"image_folder", params.get_text("folder"), kLayout},
        crops_(params.get_text("fit") == "crop") {
    if (params.has("test_fraction")) test_fraction_ = params.get_real("test_fraction");
    if (params.has("size")) size_ = params.get_integer("size");
    if (crops_ && !size_) {
      throw ParamError("parameter \"fit\" = \"crop\": needs \"size\"");
    }
  }

  DatasetInfo describe() override { return listing().info; }

  std::string content_hash() override {
    const Listing& all = listing();
    std::string text = "image_folder\n";
    if (size_) text += "size " + std::to_string(*size_) + (crops_ ? " crop\n" : " stretch\n");
    for (const std::string& name : all.classes) {
      text += std::to_string(name.size()) + " " + name + "\n";
    }
    for (const auto* split : {&all.train, &all.test}) {
      text += std::to_string(split->size()) + "\n";
      for (const Entry& entry : *split) {
        text += entry.sha256 + " " + std::to_string(entry.label) + "\n";
      }
    }
    return sha256_hex(text);
  }

  Samples load(Split split) override {
    const Listing& all = listing();
    const std::vector<Entry>& entries = split == Split::kTrain ? all.train : all.test;
    const auto count = static_cast<std::int64_t>(entries.size());
    Samples samples{
        at::empty({count, all.info.channels, all.info.height, all.info.width}, at::kByte),
        at::empty({count}, at::kLong)};
    std::int64_t* const labels = samples.labels.data_ptr<std::int64_t>();
    kit::for_each_index(entries.size(), kit::reading_threads(), [&](std::size_t i) {
      copy_image(entries[i], all.info, samples.images, static_cast<std::int64_t>(i));
      labels[i] = entries[i].label;
    });
    return samples;
  }

 private:
  const Listing& listing() {
    if (!listing_) listing_ = scan();
    return *listing_;
  }

  Listing scan() const {
    folder_.require();
    Listing all;
    const fs::path train = folder_.path / "train";
    const fs::path test = folder_.path / "test";
    if (test_fraction_) {
      if (is_folder(train) || is_folder(test)) {
        folder_.fail(folder_.path,
                     "holds a folder train or test, so \"test_fraction\" has nothing to split; "
                     "leave it out, or rename a class of that name");
      }
      all.classes = class_folders(folder_.path);
      for (Entry& entry : entries(folder_.path, all.classes)) {
        // The first 32 bits of the hash as a number in [0, 1).
        const double place =
            static_cast<double>(std::stoul(entry.sha256.substr(0, 8), nullptr, 16)) * 0x1.0p-32;
        (place < *test_fraction_ ? all.test : all.train).push_back(std::move(entry));
      }
      if (all.train.empty() || all.test.empty()) {
        folder_.fail(folder_.path,
                     std::string("\"test_fraction\" leaves no ") +
                         (all.test.empty() ? "test" : "training") + " image");
      }
    } else {
      if (!is_folder(train) && !is_folder(test)) {
        folder_.fail(folder_.path,
                     "holds neither a folder train nor a folder test; when it holds the folders of "
                     "the classes, give \"test_fraction\"");
      }
      all.classes = class_folders(is_folder(train) ? train : test);
      if (is_folder(train) && is_folder(test)) require_same_classes(train, test);
      if (is_folder(train)) all.train = entries(train, all.classes);
      if (is_folder(test)) all.test = entries(test, all.classes);
    }
    all.info = common_info(all);
    return all;
  }

  static bool is_folder(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
  }

  /// What a folder holds, sorted by name, hidden files left out.
  std::vector<fs::path> contents(const fs::path& folder) const {
    std::vector<fs::path> found;
    std::error_code error;
    for (fs::directory_iterator i(folder, error), end; !error && i != end; i.increment(error)) {
      if (!is_hidden(i->path())) found.push_back(i->path());
    }
    if (error) folder_.fail(folder, "cannot be read: " + error.message());
    std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
      return a.native() < b.native();
    });
    return found;
  }

  std::vector<std::string> class_folders(const fs::path& folder) const {
    std::vector<std::string> names;
    for (const fs::path& path : contents(folder)) {
      if (is_folder(path)) names.push_back(path.filename().string());
    }
    if (names.size() < 2) {
      folder_.fail(folder,
                   "holds " + std::to_string(names.size()) +
                       " folders; there must be one for each of at least two classes");
    }
    return names;
  }

  void require_same_classes(const fs::path& train, const fs::path& test) const {
    const std::vector<std::string> of_train = class_folders(train);
    const std::vector<std::string> of_test = class_folders(test);
    for (const auto& [here, there, other] :
         {std::tie(of_train, of_test, test), std::tie(of_test, of_train, train)}) {
      for (const std::string& name : here) {
        if (std::find(there.begin(), there.end(), name) == there.end()) {
          folder_.fail(other, "there is no folder \"" + name + "\"; both splits need every class");
        }
      }
    }
  }

  /// All pictures below a folder of classes, in the order of their hashes: that order mixes the
  /// classes, and does not depend on names.
  std::vector<Entry> entries(const fs::path& root, const std::vector<std::string>& classes) const {
    std::vector<Entry> found;
    for (std::size_t label = 0; label < classes.size(); ++label) {
      const fs::path folder = root / classes[label];
      const std::size_t before = found.size();
      for (const fs::path& file : contents(folder)) {
        if (!has_picture_name(file)) {
          folder_.fail(file,
                       "is not named .png, .jpg or .jpeg; the folder of a class holds its images "
                       "and nothing else");
        }
        found.push_back({file, static_cast<std::int64_t>(label), {}, {}});
      }
      if (found.size() == before) folder_.fail(folder, "holds no image");
    }
    kit::for_each_index(found.size(), kit::reading_threads(), [&](std::size_t i) {
      const std::string bytes = folder_.read(found[i].file);
      found[i].sha256 = sha256_hex(bytes);
      try {
        found[i].picture = image_folder::examine(bytes);
      } catch (const DecodeError& error) {
        folder_.fail(found[i].file, error.what());
      }
    });
    std::sort(found.begin(), found.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.sha256, a.label) < std::tie(b.sha256, b.label);
    });
    return found;
  }

  DatasetInfo common_info(const Listing& all) const {
    DatasetInfo info;
    info.num_classes = static_cast<std::int64_t>(all.classes.size());
    info.class_names = all.classes;
    info.train_count = static_cast<std::int64_t>(all.train.size());
    info.test_count = static_cast<std::int64_t>(all.test.size());
    const Entry& first = all.train.empty() ? all.test.front() : all.train.front();
    info.channels = 1;
    for (const auto* split : {&all.train, &all.test}) {
      for (const Entry& entry : *split) {
        info.channels = std::max(info.channels, entry.picture.channels);
        if (!size_ && (entry.picture.height != first.picture.height ||
                       entry.picture.width != first.picture.width)) {
          folder_.fail(entry.file,
                       "is " + size_text(entry.picture) + " pixels, " + first.file.string() +
                           " is " + size_text(first.picture) +
                           "; where files differ, \"size\" must say what size images get");
        }
      }
    }
    info.height = size_.value_or(first.picture.height);
    info.width = size_.value_or(first.picture.width);
    return info;
  }

  static std::string size_text(const PictureInfo& picture) {
    return std::to_string(picture.height) + " x " + std::to_string(picture.width);
  }

  /// Puts a picture where row `i` of the images is, as the description says. Several threads do so
  /// at a time, for different rows.
  void copy_image(const Entry& entry,
                  const DatasetInfo& info,
                  const Tensor& images,
                  std::int64_t i) const {
    Picture picture = decoded(entry);
    const PictureInfo& of = picture.info;
    const bool fits = of.height == info.height && of.width == info.width;
    const std::int64_t row_size = info.channels * info.height * info.width;
    std::uint8_t* const row = images.data_ptr<std::uint8_t>() + i * row_size;
    if (fits && of.channels == info.channels) {
      // Tens of thousands of small pictures: an operator of LibTorch takes longer than a copy.
      const std::int64_t pixels = of.height * of.width;
      for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
        for (std::int64_t channel = 0; channel < of.channels; ++channel) {
          row[channel * pixels + pixel] =
              picture.pixels[static_cast<std::size_t>(pixel * of.channels + channel)];
        }
      }
      return;
    }
    Tensor pixels =
        at::from_blob(picture.pixels.data(), {1, of.height, of.width, of.channels}, at::kByte)
            .permute({0, 3, 1, 2});
    if (crops_) {
      const std::int64_t side = std::min(of.height, of.width);
      pixels =
          pixels.narrow(2, (of.height - side) / 2, side).narrow(3, (of.width - side) / 2, side);
    }
    const Tensor fitted =
        with_channels(resize_images(pixels, info.height, info.width), info.channels).contiguous();
    std::memcpy(row, fitted.data_ptr<std::uint8_t>(), static_cast<std::size_t>(row_size));
  }

  Picture decoded(const Entry& entry) const {
    const std::string bytes = folder_.read(entry.file);
    if (sha256_hex(bytes) != entry.sha256) {
      folder_.fail(entry.file, "changed while it was read; do not write to a data set in use");
    }
    try {
      return image_folder::decode(bytes);
    } catch (const DecodeError& error) {
      folder_.fail(entry.file, error.what());
    }
  }

  kit::DataFolder folder_;
  bool crops_;
  std::optional<double> test_fraction_;
  std::optional<std::int64_t> size_;
  std::optional<Listing> listing_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ImageFolder)
