// Data sets that read a user's files: what they read from good ones, and what they say of bad ones.

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/picture_files.hpp"
#include "support/plugins.hpp"
#include "support/tiny_datasets.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::test::files_test {
namespace {

const std::string kLfsPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '4') + "\nsize 5\n";

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::unique_ptr<Dataset> open(const std::string& id, const fs::path& folder) {
  return make_plugin<Dataset>("dataset", id, {{"folder", folder.string()}});
}

std::string data_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no DataError";
}

// ---- CIFAR
// ----------------------------------------------------------------------------------------

TEST(Cifar10, CountsRecordsByFileSize) {
  const TempFolder folder;
  write_cifar10(folder.path());

  const DatasetInfo info = open("cifar10", folder.path())->describe();

  EXPECT_EQ(info.train_count, 1 + 2 + 3 + 4 + 5);
  EXPECT_EQ(info.test_count, 4);
  EXPECT_EQ(info.num_classes, 10);
}

TEST(Cifar10, ReadsPixelsAndLabelsInTheOrderOfTheFiles) {
  const TempFolder folder;
  write_cifar10(folder.path());

  const Samples train = open("cifar10", folder.path())->load(Split::kTrain);

  // Image 4 is record 1 of the third file (1 + 2 records lie before it).
  EXPECT_EQ(train.labels[4].item<std::int64_t>(), 1);
  EXPECT_EQ(train.images[4].flatten()[0].item<int>(), 7);
  EXPECT_EQ(train.images[4][1][2][3].item<int>(), (7 + 1024 + 2 * 32 + 3) % 256);
}

TEST(Cifar100, ReadsTheFineLabel) {
  const TempFolder folder;
  write_cifar100(folder.path());

  const Samples train = open("cifar100", folder.path())->load(Split::kTrain);

  EXPECT_EQ(train.labels[99].item<std::int64_t>(), 99);
  EXPECT_EQ(train.images[1].flatten()[0].item<int>(), 7);
}

TEST(Cifar100, NamesAHundredClasses) {
  const TempFolder folder;
  write_cifar100(folder.path());

  const auto names = open("cifar100", folder.path())->describe().class_names;

  EXPECT_EQ(names.size(), 100U);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST(Cifar10, SaysWhichFolderIsMissing) {
  const TempFolder folder;
  const auto set = open("cifar10", folder.path() / "nowhere");

  EXPECT_THAT(
      data_error([&] { set->describe(); }),
      AllOf(HasSubstr("nowhere"), HasSubstr("does not exist"), HasSubstr("data_batch_1.bin")));
}

TEST(Cifar10, SaysWhenTheFolderIsAFile) {
  const TempFolder folder;
  write_file(folder.path() / "file", "x");
  const auto set = open("cifar10", folder.path() / "file");

  EXPECT_THAT(data_error([&] { set->describe(); }), HasSubstr("is not a folder"));
}

TEST(Cifar10, SaysWhichFileIsMissing) {
  const TempFolder folder;
  write_cifar10(folder.path());
  fs::remove(folder.path() / "data_batch_4.bin");
  const auto set = open("cifar10", folder.path());

  EXPECT_THAT(data_error([&] { set->describe(); }),
              AllOf(HasSubstr("data_batch_4.bin: no such file"), HasSubstr("test_batch.bin")));
}

TEST(Cifar10, RefusesATruncatedFile) {
  const TempFolder folder;
  write_cifar10(folder.path());
  fs::resize_file(folder.path() / "test_batch.bin", 4 * 3073 - 1);
  const auto set = open("cifar10", folder.path());

  EXPECT_THAT(data_error([&] { set->describe(); }),
              AllOf(HasSubstr("test_batch.bin"), HasSubstr("12291 bytes"), HasSubstr("3073")));
}

TEST(Cifar10, NamesAFileThatWasNotFetched) {
  const TempFolder folder;
  write_cifar10(folder.path());
  write_file(folder.path() / "test_batch.bin", kLfsPointer);
  const auto set = open("cifar10", folder.path());

  EXPECT_THAT(data_error([&] { set->describe(); }),
              AllOf(HasSubstr("test_batch.bin"), HasSubstr("it is a Git LFS pointer")));
}

TEST(Cifar10, RefusesAnEmptyFile) {
  const TempFolder folder;
  write_cifar10(folder.path());
  write_file(folder.path() / "data_batch_1.bin", "");
  const auto set = open("cifar10", folder.path());

  EXPECT_THAT(data_error([&] { set->content_hash(); }), HasSubstr("has 0 bytes"));
}

TEST(Cifar10, RefusesALabelOutOfRange) {
  const TempFolder folder;
  write_cifar10(folder.path());
  std::string bytes = cifar_records(4, 1, 10);
  bytes[2 * 3073] = 10;
  write_file(folder.path() / "test_batch.bin", bytes);
  const auto set = open("cifar10", folder.path());

  EXPECT_THAT(
      data_error([&] { set->load(Split::kTest); }),
      AllOf(HasSubstr("test_batch.bin"), HasSubstr("record 2 has label 10"), HasSubstr("0 to 9")));
}

TEST(Cifar100, RefusesACoarseLabelOutOfRange) {
  const TempFolder folder;
  write_cifar100(folder.path());
  std::string bytes = cifar_records(3, 2, 100);
  bytes[0] = 20;
  write_file(folder.path() / "test.bin", bytes);
  const auto set = open("cifar100", folder.path());

  EXPECT_THAT(data_error([&] { set->load(Split::kTest); }), HasSubstr("label 20"));
}

TEST(Cifar10, HashesContentAndNotPlace) {
  const TempFolder here;
  const TempFolder there;
  write_cifar10(here.path());
  write_cifar10(there.path());

  EXPECT_EQ(open("cifar10", here.path())->content_hash(),
            open("cifar10", there.path())->content_hash());
}

TEST(Cifar10, HashesEveryByte) {
  const TempFolder folder;
  write_cifar10(folder.path());
  const std::string before = open("cifar10", folder.path())->content_hash();
  std::string bytes = cifar_records(5, 1, 10);
  bytes.back() = static_cast<char>(bytes.back() + 1);
  write_file(folder.path() / "data_batch_5.bin", bytes);

  EXPECT_NE(open("cifar10", folder.path())->content_hash(), before);
}

// ---- MNIST
// ----------------------------------------------------------------------------------------

class MnistFiles : public testing::Test {
 protected:
  MnistFiles() { write_mnist(folder_.path()); }

  fs::path file(const std::string& name) const { return folder_.path() / name; }
  std::string describe_error() const {
    return data_error([&] { open("mnist", folder_.path())->describe(); });
  }
  std::string load_error(Split split = Split::kTest) const {
    return data_error([&] { open("mnist", folder_.path())->load(split); });
  }
  // Replace a plain file by a packed one with these bytes.
  void pack(const std::string& name, const std::string& bytes) const {
    fs::remove(file(name));
    write_gzip(file(name + ".gz"), bytes);
  }

  TempFolder folder_;
};

TEST_F(MnistFiles, TellTheirSizesInTheirHeaders) {
  const DatasetInfo info = open("mnist", folder_.path())->describe();

  EXPECT_EQ(info.train_count, 12);
  EXPECT_EQ(info.test_count, 5);
  EXPECT_EQ(info.height, 6);
  EXPECT_EQ(info.width, 4);
}

TEST_F(MnistFiles, GiveImagesAndLabels) {
  const Samples train = open("mnist", folder_.path())->load(Split::kTrain);

  EXPECT_EQ(train.labels[11].item<std::int64_t>(), 1);
  EXPECT_EQ(train.images[2][0][1][3].item<int>(), 22 + 4 + 3);
}

TEST_F(MnistFiles, MayBePacked) {
  const Samples plain = open("mnist", folder_.path())->load(Split::kTest);
  pack("t10k-images-idx3-ubyte", idx_images(5, 6, 4));
  pack("t10k-labels-idx1-ubyte", idx_labels(5));

  const Samples packed = open("mnist", folder_.path())->load(Split::kTest);

  EXPECT_TRUE(at::equal(packed.images, plain.images));
  EXPECT_TRUE(at::equal(packed.labels, plain.labels));
}

TEST_F(MnistFiles, HashAlikePlainAndPacked) {
  const std::string plain = open("mnist", folder_.path())->content_hash();
  pack("train-images-idx3-ubyte", idx_images(12, 6, 4));

  EXPECT_EQ(open("mnist", folder_.path())->content_hash(), plain);
}

TEST_F(MnistFiles, MayHaveADotInTheirNames) {
  fs::rename(file("train-images-idx3-ubyte"), file("train-images.idx3-ubyte"));
  fs::rename(file("train-labels-idx1-ubyte"), file("train-labels.idx1-ubyte"));

  EXPECT_EQ(open("mnist", folder_.path())->load(Split::kTrain).images.size(0), 12);
}

TEST_F(MnistFiles, AreMissedByName) {
  fs::remove(file("t10k-labels-idx1-ubyte"));

  EXPECT_THAT(describe_error(),
              AllOf(HasSubstr("t10k-labels-idx1-ubyte: no such file"),
                    HasSubstr("the folder must contain")));
}

TEST_F(MnistFiles, WithAnotherMagicAreRefused) {
  write_file(file("t10k-images-idx3-ubyte"), idx_labels(5) + idx_labels(5));

  EXPECT_THAT(describe_error(),
              AllOf(HasSubstr("starts with 0x00000801"), HasSubstr("0x00000803")));
}

TEST_F(MnistFiles, ShorterThanAHeaderAreRefused) {
  write_file(file("t10k-images-idx3-ubyte"), "abc");

  EXPECT_THAT(describe_error(), HasSubstr("has only 3 bytes"));
}

TEST_F(MnistFiles, CutShortAreRefused) {
  fs::resize_file(file("t10k-images-idx3-ubyte"), 16 + 5 * 24 - 1);

  EXPECT_THAT(describe_error(), AllOf(HasSubstr("has 135 bytes"), HasSubstr("promises 136")));
}

TEST_F(MnistFiles, WithSurplusBytesAreRefused) {
  write_file(file("t10k-labels-idx1-ubyte"), idx_labels(5) + "x");

  EXPECT_THAT(describe_error(), HasSubstr("more bytes than"));
}

TEST_F(MnistFiles, WithoutImagesAreRefused) {
  write_file(file("t10k-images-idx3-ubyte"), idx_images(0, 6, 4));

  EXPECT_THAT(describe_error(), HasSubstr("0 as number of items"));
}

TEST_F(MnistFiles, WithoutWidthAreRefused) {
  write_file(file("t10k-images-idx3-ubyte"), idx_images(5, 6, 0));

  EXPECT_THAT(describe_error(), HasSubstr("0 as width"));
}

TEST_F(MnistFiles, OfImplausibleHeightAreRefused) {
  write_file(file("t10k-images-idx3-ubyte"), idx_images(1, 5000, 1));

  EXPECT_THAT(describe_error(), HasSubstr("5000 as height"));
}

TEST_F(MnistFiles, WithMoreImagesThanLabelsAreRefused) {
  write_file(file("t10k-labels-idx1-ubyte"), idx_labels(4));

  EXPECT_THAT(describe_error(), AllOf(HasSubstr("holds 4 labels"), HasSubstr("holds 5 images")));
}

TEST_F(MnistFiles, OfTwoImageSizesAreRefused) {
  write_file(file("t10k-images-idx3-ubyte"), idx_images(5, 4, 6));

  EXPECT_THAT(describe_error(), AllOf(HasSubstr("4 x 6"), HasSubstr("6 x 4")));
}

TEST_F(MnistFiles, WithALabelOutOfRangeAreRefused) {
  std::string bytes = idx_labels(5);
  bytes.back() = 77;
  write_file(file("t10k-labels-idx1-ubyte"), bytes);

  EXPECT_THAT(load_error(), HasSubstr("label 77 of image 4"));
}

TEST_F(MnistFiles, NamedAsPackedButPlainAreRefused) {
  fs::rename(file("t10k-images-idx3-ubyte"), file("t10k-images-idx3-ubyte.gz"));

  EXPECT_THAT(describe_error(), HasSubstr("is not a gzip file"));
}

TEST_F(MnistFiles, ThatAreSomethingElseAreNamed) {
  pack("t10k-images-idx3-ubyte", idx_images(5, 6, 4));
  write_file(file("t10k-images-idx3-ubyte.gz"), kLfsPointer);
  EXPECT_THAT(describe_error(), HasSubstr("it is a Git LFS pointer"));

  fs::remove(file("t10k-images-idx3-ubyte.gz"));
  write_file(file("t10k-images-idx3-ubyte"), "<!DOCTYPE html><html>not found</html>");
  EXPECT_THAT(describe_error(), HasSubstr("IDX file"));
  EXPECT_THAT(describe_error(), HasSubstr("it is an HTML page"));
}

TEST_F(MnistFiles, PackedAndCutShortAreRefused) {
  pack("t10k-images-idx3-ubyte", idx_images(5, 6, 4));
  const fs::path packed = file("t10k-images-idx3-ubyte.gz");
  fs::resize_file(packed, fs::file_size(packed) - 20);

  EXPECT_THAT(load_error(), AllOf(HasSubstr(".gz"), HasSubstr("truncated")));
}

TEST_F(MnistFiles, PackedWithoutTheEndOfTheChecksumAreRefused) {
  pack("t10k-images-idx3-ubyte", idx_images(5, 6, 4));
  const fs::path packed = file("t10k-images-idx3-ubyte.gz");
  fs::resize_file(packed, fs::file_size(packed) - 3);

  EXPECT_THAT(load_error(), HasSubstr("truncated"));
}

TEST_F(MnistFiles, PackedAndDamagedAreRefused) {
  pack("t10k-images-idx3-ubyte", idx_images(5, 6, 4));
  std::string bytes = read_file(file("t10k-images-idx3-ubyte.gz"));
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 0x55);  // in the checksum
  write_file(file("t10k-images-idx3-ubyte.gz"), bytes);

  EXPECT_THAT(load_error(), HasSubstr("the gzip stream is broken"));
}

TEST_F(MnistFiles, PackedWithAHeaderThatPromisesTooMuchAreRefused) {
  std::string bytes = idx_images(5, 6, 4);
  bytes.replace(4, 4, big_endian(50'000'000));
  std::string labels = idx_labels(5);
  labels.replace(4, 4, big_endian(50'000'000));
  pack("t10k-images-idx3-ubyte", bytes);
  pack("t10k-labels-idx1-ubyte", labels);

  EXPECT_THAT(load_error(), HasSubstr("it is truncated"));
}

// ---- image_folder with many files, read by several threads

class ManyPictures : public testing::Test {
 protected:
  ManyPictures() { write_image_folder(root()); }

  fs::path root() const { return folder_.path(); }

 private:
  const TempFolder folder_;
};

TEST_F(ManyPictures, DecodesManyFilesInTheOrderOfTheirHashes) {
  std::vector<std::tuple<std::string, int, std::int64_t>> wanted;  // hash, value, label
  for (const auto& [name, label] : {std::pair{"cat", 0}, std::pair{"dog", 1}}) {
    const fs::path place = root() / "train" / name;
    for (int i = 3; i < 130; ++i) {
      write_grey_png(place / (std::to_string(i) + ".png"), 4, 6, i + 120 * label);
    }
    for (const auto& entry : fs::directory_iterator(place)) {
      const int i = std::stoi(entry.path().stem());
      const int value = i < 3 ? (label == 0 ? 13 : 203) + 10 * i : i + 120 * label;
      wanted.emplace_back(sha256_file(entry.path()), value, label);
    }
  }
  std::sort(wanted.begin(), wanted.end());

  const Samples train = open("image_folder", root())->load(Split::kTrain);

  ASSERT_EQ(train.images.size(0), 260);
  for (std::int64_t i = 0; i < 260; ++i) {
    const auto& [hash, value, label] = wanted[static_cast<std::size_t>(i)];
    EXPECT_TRUE(train.images[i].eq(value).all().item<bool>()) << i;
    EXPECT_EQ(train.labels[i].item<std::int64_t>(), label) << i;
  }
}

TEST_F(ManyPictures, FitsManyFilesOfDifferentSizes) {
  for (int i = 3; i < 150; ++i) {
    write_grey_png(root() / "train/cat" / (std::to_string(i) + ".png"),
                   1 + static_cast<std::uint32_t>(i % 7),
                   1 + static_cast<std::uint32_t>(i % 5),
                   i % 100);
  }

  const Tensor images =
      make_plugin<Dataset>(
          "dataset", "image_folder", {{"folder", root().string()}, {"size", std::int64_t{3}}})
          ->load(Split::kTrain)
          .images;

  // Images of equal pixels keep their value: none has a part of another one.
  const Tensor flat = images.flatten(1);
  EXPECT_TRUE(torch::equal(std::get<0>(flat.max(1)), std::get<0>(flat.min(1))));
  const Tensor cats = flat.select(1, 0).index({flat.select(1, 0).lt(100)}).to(torch::kLong);
  std::int64_t sum = 13 + 23 + 33;
  for (int i = 3; i < 150; ++i) sum += i % 100;
  EXPECT_EQ(cats.sum().item<std::int64_t>(), sum);
}

TEST_F(ManyPictures, NamesTheFirstOfSeveralDamagedFiles) {
  for (int i = 100; i < 400; ++i) {
    const bool is_damaged = i == 231 || i == 233 || i == 390;
    const fs::path file = root() / "train/cat" / (std::to_string(i) + ".png");
    write_grey_png(file, 4, 6, i % 100);
    if (is_damaged) write_file(file, "damaged");
  }

  for (int repeat = 0; repeat < 20; ++repeat) {
    EXPECT_THAT(data_error([&] { open("image_folder", root())->describe(); }),
                HasSubstr("/231.png"));
  }
}

// ---- the real ones, where the environment variable UNMASK_DATA names a folder with them

class RealData : public testing::Test {
 protected:
  // Skips the test where the folder is not there.
  void require(const char* name) {
    const char* const data = std::getenv("UNMASK_DATA");
    if (data == nullptr || *data == '\0') {
      GTEST_SKIP() << "UNMASK_DATA names no folder with data sets";
    }
    place_ = fs::path(data) / name;
    if (!fs::is_directory(place_)) GTEST_SKIP() << place_ << " is not there";
  }

  static std::vector<std::int64_t> counts(const Tensor& labels) {
    const Tensor found = labels.bincount();
    return {found.data_ptr<std::int64_t>(), found.data_ptr<std::int64_t>() + found.size(0)};
  }

  // 5,000 training and 1,000 test images of each class, and the means of the channels that the
  // literature subtracts from them: 0.4914, 0.4822, 0.4465. Their digits end at 5e-5; JPEG copies
  // round each pixel to a level, which leaves half a level of a systematic error at most: 0.002.
  void expect_cifar10(const std::string& id) const {
    const auto set = open(id, place_);
    const Samples train = set->load(Split::kTrain);
    EXPECT_EQ(counts(train.labels), std::vector<std::int64_t>(10, 5000));
    EXPECT_EQ(counts(set->load(Split::kTest).labels), std::vector<std::int64_t>(10, 1000));
    EXPECT_EQ(train.images.sizes(), at::IntArrayRef({50000, 3, 32, 32}));
    const Tensor sums = train.images.sum({0, 2, 3}, /*keepdim=*/false, at::kLong);
    const Tensor means = sums.to(at::kDouble).div(255.0 * 50000 * 32 * 32);
    for (const auto& [channel, mean] : {std::pair{0, 0.4914}, {1, 0.4822}, {2, 0.4465}}) {
      EXPECT_NEAR(means[channel].item<double>(), mean, 0.002) << channel;
    }
  }

  fs::path place_;
};

TEST_F(RealData, MnistIsWhatThePapersCount) {
  require("mnist");
  if (IsSkipped()) return;
  const auto set = open("mnist", place_);

  const Samples train = set->load(Split::kTrain);

  EXPECT_EQ(
      counts(train.labels),
      (std::vector<std::int64_t>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}));
  EXPECT_EQ(counts(set->load(Split::kTest).labels),
            (std::vector<std::int64_t>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}));
  EXPECT_TRUE(torch::equal(train.labels.narrow(0, 0, 5), at::tensor({5, 0, 4, 1, 9}, at::kLong)));
}

TEST_F(RealData, Cifar10AsPicturesIsWhatThePapersCount) {
  require("cifar10-jpeg");
  if (!IsSkipped()) expect_cifar10("image_folder");
}

TEST_F(RealData, Cifar10AsRecordsIsWhatThePapersCount) {
  require("cifar-10-batches-bin");
  if (!IsSkipped()) expect_cifar10("cifar10");
}

}  // namespace
}  // namespace unmask::test::files_test
