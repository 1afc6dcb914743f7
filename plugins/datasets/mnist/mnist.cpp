// MNIST and everything in its format (Fashion-MNIST, KMNIST): four IDX files, plain or gzip.

#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include <torch/types.h>

#include <zlib.h>

#include "unmask/kit/data/files.hpp"
#include "unmask/plugin.hpp"
#include "unmask/sha256.hpp"

namespace unmask {
namespace {

constexpr std::uint32_t kImagesMagic = 0x803;  // unsigned bytes, 3 dimensions
constexpr std::uint32_t kLabelsMagic = 0x801;  // unsigned bytes, 1 dimension
constexpr std::int64_t kClasses = 10;
constexpr std::uint32_t kLargestSide = 4096;
constexpr std::uint32_t kMostImages = 100'000'000;

std::string hex(std::uint32_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", static_cast<unsigned>(value));
  return text.data();
}

struct IdxHeader {
  std::int64_t count = 0;
  std::int64_t height = 1;
  std::int64_t width = 1;
  std::size_t size = 0;  ///< bytes before the values

  std::uintmax_t file_size() const {
    return size + static_cast<std::uintmax_t>(count) * static_cast<std::uintmax_t>(height) *
                      static_cast<std::uintmax_t>(width);
  }
};

class Mnist final : public Dataset {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "grey digits (or Fashion-MNIST) in IDX files, 10 classes, read from a folder",
        .source = "LeCun, Cortes, Burges 1998; Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747",
        .params = {path("folder",
                        "train-images-idx3-ubyte, train-labels-idx1-ubyte and the same two with "
                        "t10k; plain or with .gz")},
        .capabilities = {"content_from_params"}};
  }

  explicit Mnist(const Params& params)
      : folder_{"mnist",
                params.get_text("folder"),
                "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
                "t10k-labels-idx1-ubyte, each plain or with .gz"} {}

  DatasetInfo describe() override {
    const IdxHeader train = check(Split::kTrain);
    const IdxHeader test = check(Split::kTest);
    if (train.height != test.height || train.width != test.width) {
      folder_.fail(find("t10k-images", 3),
                   "holds images of " + size_text(test) + " pixels, the training images have " +
                       size_text(train));
    }
    return {.channels = 1,
            .height = train.height,
            .width = train.width,
            .num_classes = kClasses,
            .train_count = train.count,
            .test_count = test.count,
            .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}};
  }

  std::string content_hash() override {
    if (!hash_) {
      describe();  // a malformed file is reported as such, not hashed
      std::string text = "mnist\n";
      for (const char* prefix : {"train", "t10k"}) {
        // Of the unpacked bytes: a packed and a plain copy are the same data set.
        const auto images = find(prefix + std::string("-images"), 3);
        const auto labels = find(prefix + std::string("-labels"), 1);
        text += sha256_hex(contents(images, header(images, kImagesMagic))) + "\n";
        text += sha256_hex(contents(labels, header(labels, kLabelsMagic))) + "\n";
      }
      hash_ = sha256_hex(text);
    }
    return *hash_;
  }

  Samples load(Split split) override {
    check(split);
    const std::string prefix = split == Split::kTrain ? "train" : "t10k";
    const auto image_file = find(prefix + "-images", 3);
    const auto label_file = find(prefix + "-labels", 1);
    const IdxHeader image_header = header(image_file, kImagesMagic);
    const IdxHeader label_header = header(label_file, kLabelsMagic);

    const std::string image_bytes = contents(image_file, image_header);
    const Tensor images =
        at::empty({image_header.count, 1, image_header.height, image_header.width}, at::kByte);
    std::memcpy(images.data_ptr<std::uint8_t>(),
                image_bytes.data() + image_header.size,
                image_bytes.size() - image_header.size);

    const std::string label_bytes = contents(label_file, label_header);
    const Tensor labels = at::empty({label_header.count}, at::kLong);
    for (std::int64_t i = 0; i < label_header.count; ++i) {
      const std::int64_t label =
          kit::byte_at(label_bytes, label_header.size + static_cast<std::size_t>(i));
      if (label >= kClasses) {
        folder_.fail(label_file,
                     "label " + std::to_string(label) + " of image " + std::to_string(i) +
                         " is out of range, allowed are 0 to " + std::to_string(kClasses - 1));
      }
      labels.data_ptr<std::int64_t>()[i] = label;
    }
    return {images, labels};
  }

 private:
  static bool is_packed(const std::filesystem::path& file) { return file.extension() == ".gz"; }

  static std::string size_text(const IdxHeader& header) {
    return std::to_string(header.height) + " x " + std::to_string(header.width);
  }

  /// The file of one of the four roles. Archives differ in one character of the name.
  std::filesystem::path find(const std::string& role, int dimensions) const {
    folder_.require();
    const std::string suffix = "idx" + std::to_string(dimensions) + "-ubyte";
    for (const char* joint : {"-", "."}) {
      for (const char* packed : {"", ".gz"}) {
        const auto file = folder_.path / (role + joint + suffix + packed);
        std::error_code ignored;
        if (std::filesystem::is_regular_file(file, ignored)) return file;
      }
    }
    folder_.fail(folder_.path / (role + "-" + suffix),
                 "no such file, nor with .gz; the folder must contain " + folder_.should_contain);
  }

  /// At most `limit` bytes of a file, unpacked.
  std::string read(const std::filesystem::path& file, std::uintmax_t limit) const {
    if (!is_packed(file)) return folder_.read(file, limit);
    const std::string magic = folder_.read(file, 2);
    if (magic != "\x1f\x8b") folder_.fail_kind(file, "is named .gz but is not a gzip file");

    struct Close {
      void operator()(gzFile_s* stream) const { gzclose(stream); }
    };
    const std::unique_ptr<gzFile_s, Close> stream(gzopen(file.c_str(), "rb"));
    if (!stream) folder_.fail(file, "cannot be opened for reading; check its permissions");
    std::string bytes;
    // Grows with what is really there: a wrong header must not lead to a huge allocation.
    std::string chunk(std::size_t{1} << 20, '\0');
    while (bytes.size() < limit) {
      const auto wanted = std::min<std::uintmax_t>(chunk.size(), limit - bytes.size());
      const int got = gzread(stream.get(), chunk.data(), static_cast<unsigned>(wanted));
      int code = Z_OK;
      const char* const message = gzerror(stream.get(), &code);
      if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
        folder_.fail(file,
                     code == Z_BUF_ERROR
                         ? std::string("the gzip stream ends too early; it is truncated")
                         : "the gzip stream is broken (" + std::string(message) + ")");
      }
      if (got == 0) break;
      bytes.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return bytes;
  }

  IdxHeader header(const std::filesystem::path& file, std::uint32_t magic) const {
    IdxHeader result;
    result.size = magic == kImagesMagic ? 16 : 8;
    const std::string bytes = read(file, result.size);
    if (bytes.size() < result.size) {
      folder_.fail(file,
                   "has only " + std::to_string(bytes.size()) + " bytes, its header alone has " +
                       std::to_string(result.size) + "; it is truncated");
    }
    const auto word = [&](std::size_t i) {
      std::uint32_t value = 0;
      for (std::size_t b = 0; b < 4; ++b) value = value << 8 | kit::byte_at(bytes, 4 * i + b);
      return value;
    };
    if (word(0) != magic) {
      const std::string start = "starts with " + hex(word(0)) + ", an IDX file of " +
                                (magic == kImagesMagic ? "images" : "labels") + " with " +
                                hex(magic);
      // Of a packed file the first bytes are those of its packing.
      if (is_packed(file)) folder_.fail(file, start);
      folder_.fail_kind(file, start);
    }
    const auto dimension = [&](std::size_t i, const char* name, std::uint32_t largest) {
      const std::uint32_t value = word(i);
      if (value == 0 || value > largest) {
        folder_.fail(file,
                     "its header gives " + std::to_string(value) + " as " + name +
                         ", allowed are 1 to " + std::to_string(largest));
      }
      return static_cast<std::int64_t>(value);
    };
    result.count = dimension(1, "number of items", kMostImages);
    if (magic == kImagesMagic) {
      result.height = dimension(2, "height", kLargestSide);
      result.width = dimension(3, "width", kLargestSide);
    }
    if (!is_packed(file)) check_size(file, result, folder_.size_of(file));
    return result;
  }

  void check_size(const std::filesystem::path& file,
                  const IdxHeader& header,
                  std::uintmax_t size) const {
    if (size < header.file_size()) {
      folder_.fail(file,
                   "has " + std::to_string(size) + " bytes, its header promises " +
                       std::to_string(header.file_size()) + "; it is truncated");
    }
    if (size > header.file_size()) {
      folder_.fail(file,
                   "has more bytes than the " + std::to_string(header.file_size()) +
                       " that its header promises; it is damaged");
    }
  }

  /// All bytes, header included. One byte more is asked for, so that surplus bytes show, and so
  /// that the checksum at the end of a gzip file is read.
  std::string contents(const std::filesystem::path& file, const IdxHeader& header) const {
    std::string bytes = read(file, header.file_size() + 1);
    check_size(file, header, bytes.size());
    return bytes;
  }

  /// Headers of one split: images and labels must fit each other. Returns that of the images.
  IdxHeader check(Split split) const {
    const std::string prefix = split == Split::kTrain ? "train" : "t10k";
    const auto image_file = find(prefix + "-images", 3);
    const auto label_file = find(prefix + "-labels", 1);
    const IdxHeader images = header(image_file, kImagesMagic);
    const IdxHeader labels = header(label_file, kLabelsMagic);
    if (images.count != labels.count) {
      folder_.fail(label_file,
                   "holds " + std::to_string(labels.count) + " labels, " +
                       image_file.filename().string() + " holds " + std::to_string(images.count) +
                       " images");
    }
    return images;
  }

  kit::DataFolder folder_;
  std::optional<std::string> hash_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Mnist)
