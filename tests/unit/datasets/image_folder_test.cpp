// The data set `image_folder`: layouts, decoding, sizes, and what it says of every kind of bad
// file.

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/picture_files.hpp"
#include "support/plugins.hpp"
#include "unmask/errors.hpp"

namespace unmask::test::image_folder_test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using Values = std::map<std::string, ParamValue>;

class ImageFolder : public testing::Test {
 protected:
  ImageFolder() { write_image_folder(root()); }

  fs::path root() const { return folder_.path(); }
  // A place for a file of class `cat` in the test split; the class holds nothing else then.
  fs::path only_cat(const std::string& name) const {
    fs::remove_all(root() / "test/cat");
    fs::create_directory(root() / "test/cat");
    return root() / "test/cat" / name;
  }

  std::unique_ptr<Dataset> open(Values values = {}) const {
    return open_at(root(), std::move(values));
  }
  static std::unique_ptr<Dataset> open_at(const fs::path& folder, Values values = {}) {
    values["folder"] = folder.string();
    return make_plugin<Dataset>("dataset", "image_folder", std::move(values));
  }

  std::string complaint(Values values = {}) const {
    try {
      const auto set = open(std::move(values));
      set->describe();
      set->load(Split::kTrain);
      set->load(Split::kTest);
    } catch (const DataError& error) {
      return error.what();
    }
    return "no DataError";
  }

  // The image of the only test file of class `cat`.
  Tensor cat(Values values = {}) const {
    const Samples test = open(std::move(values))->load(Split::kTest);
    const Tensor place = test.labels.eq(0).nonzero().view(-1);
    EXPECT_EQ(place.size(0), 1);
    return test.images[place[0].item<std::int64_t>()];
  }

  const TempFolder folder_;
};

// ---- layouts

TEST_F(ImageFolder, CountsFilesAndNamesClasses) {
  const DatasetInfo info = open()->describe();

  EXPECT_EQ(info.train_count, 6);
  EXPECT_EQ(info.test_count, 4);
  EXPECT_EQ(info.num_classes, 2);
  EXPECT_EQ(info.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(info.channels, 1);
  EXPECT_EQ(info.height, 4);
  EXPECT_EQ(info.width, 6);
}

TEST_F(ImageFolder, LabelsByTheOrderOfTheClassNames) {
  const Samples train = open()->load(Split::kTrain);

  for (std::int64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(train.labels[i].item<std::int64_t>(),
              train.images[i].flatten()[0].item<int>() < 100 ? 0 : 1);
  }
}

TEST_F(ImageFolder, DoesNotDependOnTheNamesOfFiles) {
  const Samples before = open()->load(Split::kTrain);
  const std::string hash = open()->content_hash();
  fs::rename(root() / "train/cat/0.png", root() / "train/cat/zebra.PNG");

  EXPECT_TRUE(torch::equal(open()->load(Split::kTrain).images, before.images));
  EXPECT_EQ(open()->content_hash(), hash);
}

TEST_F(ImageFolder, MixesTheClasses) {
  for (int i = 3; i < 40; ++i) {
    for (const char* name : {"cat", "dog"}) {
      write_grey_png(
          root() / "train" / name / (std::to_string(i) + ".png"), 4, 6, 2 * i + (*name == 'c'));
    }
  }

  const Tensor first = open()->load(Split::kTrain).labels.narrow(0, 0, 40);

  // Of 40 draws out of 80 about 20 are of one class, with a deviation of 2.3; six of them.
  EXPECT_NEAR(first.sum().item<double>(), 20, 14);
}

TEST_F(ImageFolder, MayHaveATestSplitAlone) {
  fs::remove_all(root() / "train");
  const auto set = open();

  EXPECT_EQ(set->describe().train_count, 0);
  EXPECT_EQ(set->load(Split::kTrain).images.sizes(), at::IntArrayRef({0, 1, 4, 6}));
  EXPECT_EQ(set->load(Split::kTest).images.size(0), 4);
}

TEST_F(ImageFolder, LeavesHiddenFilesAlone) {
  write_file(root() / ".DS_Store", "x");
  write_file(root() / "train/.hidden", "x");
  write_file(root() / "train/cat/.thumbs", "x");

  EXPECT_EQ(open()->describe().train_count, 6);
}

TEST_F(ImageFolder, SplitsClassesByTheirHashes) {
  const TempFolder flat;
  for (int i = 0; i < 200; ++i) {
    const fs::path place = flat.path() / (i % 2 == 0 ? "a" : "b");
    fs::create_directories(place);
    write_grey_png(place / (std::to_string(i) + ".png"), 2, 1 + i / 100, i);
  }
  const Values values = {{"test_fraction", 0.25}, {"size", std::int64_t{2}}};

  const DatasetInfo info = open_at(flat.path(), values)->describe();

  EXPECT_EQ(info.train_count + info.test_count, 200);
  // Binomial(200, 1/4): deviation 6.1; five of them.
  EXPECT_NEAR(static_cast<double>(info.test_count), 50, 31);
}

TEST_F(ImageFolder, KeepsAFileOnItsSideOfTheSplitWhenOthersCome) {
  const TempFolder flat;
  for (const char* name : {"a", "b"}) {
    fs::create_directory(flat.path() / name);
    for (int i = 0; i < 20; ++i) {
      write_grey_png(
          flat.path() / name / (std::to_string(i) + ".png"), 2, 2, 2 * i + (*name == 'a'));
    }
  }
  const Values values = {{"test_fraction", 0.5}};
  const auto values_of = [&](Split split) {
    const Tensor images = open_at(flat.path(), values)->load(split).images.flatten(1).select(1, 0);
    const Tensor sorted = std::get<0>(images.to(torch::kLong).sort());
    return std::vector<std::int64_t>(sorted.data_ptr<std::int64_t>(),
                                     sorted.data_ptr<std::int64_t>() + sorted.size(0));
  };
  const auto before = values_of(Split::kTest);
  write_grey_png(flat.path() / "a/new.png", 2, 2, 250);

  const auto after = values_of(Split::kTest);

  EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
  EXPECT_LE(after.size(), before.size() + 1);
}

// ---- the hash

TEST_F(ImageFolder, HashesContentAndNotPlace) {
  const TempFolder other;
  write_image_folder(other.path());

  EXPECT_EQ(open()->content_hash(), open_at(other.path())->content_hash());
}

TEST_F(ImageFolder, HashesEveryFile) {
  const std::string before = open()->content_hash();
  write_grey_png(root() / "test/dog/1.png", 4, 6, 77);

  EXPECT_NE(open()->content_hash(), before);
}

TEST_F(ImageFolder, HashesTheClassOfAFile) {
  const std::string before = open()->content_hash();
  fs::rename(root() / "train/cat/0.png", root() / "train/dog/x.png");

  EXPECT_NE(open()->content_hash(), before);
}

TEST_F(ImageFolder, HashesTheNamesOfClasses) {
  const std::string before = open()->content_hash();
  fs::rename(root() / "train/dog", root() / "train/wolf");
  fs::rename(root() / "test/dog", root() / "test/wolf");

  EXPECT_NE(open()->content_hash(), before);
}

// ---- decoding

TEST_F(ImageFolder, ReadsGreyPixels) {
  write_png(only_cat("x.png"),
            {4,
             6,
             PNG_COLOR_TYPE_GRAY,
             8,
             std::vector<std::uint8_t>{0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                       12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 255},
             {},
             false});

  const Tensor image = cat();

  EXPECT_EQ(image[0][1][2].item<int>(), 8);
  EXPECT_EQ(image[0][3][5].item<int>(), 255);
}

TEST_F(ImageFolder, ReadsColoursInTheirOrder) {
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 24; ++i) {
    for (const int value : {i, 100 + i, 200 + i}) bytes.push_back(static_cast<std::uint8_t>(value));
  }
  write_png(only_cat("x.png"), {4, 6, PNG_COLOR_TYPE_RGB, 8, bytes, {}, false});

  const Tensor image = cat();

  EXPECT_EQ(image.sizes(), at::IntArrayRef({3, 4, 6}));
  EXPECT_EQ(image[0][1][1].item<int>(), 7);
  EXPECT_EQ(image[1][1][1].item<int>(), 107);
  EXPECT_EQ(image[2][1][1].item<int>(), 207);
}

TEST_F(ImageFolder, RepeatsGreyFilesAmongColouredOnes) {
  write_png(only_cat("x.png"),
            {4, 6, PNG_COLOR_TYPE_RGB, 8, std::vector<std::uint8_t>(72, 9), {}, false});

  const Samples train = open()->load(Split::kTrain);

  EXPECT_EQ(train.images.size(1), 3);
  EXPECT_TRUE(torch::equal(train.images.select(1, 0), train.images.select(1, 2)));
}

TEST_F(ImageFolder, ReadsPalettes) {
  std::vector<std::uint8_t> bytes(4 * 3, 0x01);  // two indices of 4 bits: 0, 1
  write_png(only_cat("x.png"),
            {4, 6, PNG_COLOR_TYPE_PALETTE, 4, bytes, {{10, 20, 30}, {40, 50, 60}}, false});

  const Tensor image = cat();

  EXPECT_EQ(image[1][0][0].item<int>(), 20);
  EXPECT_EQ(image[2][3][5].item<int>(), 60);
}

TEST_F(ImageFolder, SpreadsFewBitsOverTheWholeRange) {
  // 2 bits: 0, 1, 2, 3 are 0, 85, 170, 255; a row has 12 bits and 4 unused ones.
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 4; ++i) bytes.insert(bytes.end(), {0b00011011, 0b11000000});
  write_png(only_cat("x.png"), {4, 6, PNG_COLOR_TYPE_GRAY, 2, bytes, {}, false});

  const Tensor image = cat();

  EXPECT_EQ(image[0][2][1].item<int>(), 85);
  EXPECT_EQ(image[0][2][2].item<int>(), 170);
  EXPECT_EQ(image[0][2][4].item<int>(), 255);
}

TEST_F(ImageFolder, Rounds16BitsTo8) {
  std::vector<std::uint8_t> bytes;
  // 0x0080 = 128 is 0.498 of 257 and rounds to 0; 0x0081 = 129 rounds to 1.
  for (int i = 0; i < 12; ++i) bytes.insert(bytes.end(), {0x00, 0x80, 0x00, 0x81});
  write_png(only_cat("x.png"), {4, 6, PNG_COLOR_TYPE_GRAY, 16, bytes, {}, false});

  const Tensor image = cat();

  EXPECT_EQ(image[0][0][0].item<int>(), 0);
  EXPECT_EQ(image[0][0][1].item<int>(), 1);
}

TEST_F(ImageFolder, ReadsInterlacedFiles) {
  std::vector<std::uint8_t> bytes(24);
  for (std::size_t i = 0; i < 24; ++i) bytes[i] = static_cast<std::uint8_t>(10 * i);
  write_png(only_cat("x.png"), {4, 6, PNG_COLOR_TYPE_GRAY, 8, bytes, {}, true});

  EXPECT_TRUE(torch::equal(cat().flatten(), 10 * torch::arange(24).to(torch::kByte)));
}

TEST_F(ImageFolder, DropsAnAlphaChannelThatHidesNothing) {
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 24; ++i) bytes.insert(bytes.end(), {1, 2, 3, 255});
  write_png(only_cat("x.png"), {4, 6, PNG_COLOR_TYPE_RGB_ALPHA, 8, bytes, {}, false});

  const Tensor image = cat();

  EXPECT_EQ(image.size(0), 3);
  EXPECT_EQ(image[2][3][5].item<int>(), 3);
}

TEST_F(ImageFolder, DropsTheAlphaOfGreyFilesToo) {
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 24; ++i) bytes.insert(bytes.end(), {7, 255});
  write_png(only_cat("x.png"), {4, 6, PNG_COLOR_TYPE_GRAY_ALPHA, 8, bytes, {}, false});

  EXPECT_TRUE(torch::equal(cat(), torch::full({1, 4, 6}, 7, torch::kByte)));
}

TEST_F(ImageFolder, RefusesTransparentPixels) {
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 24; ++i)
    bytes.insert(bytes.end(), {1, 2, 3, i == 20 ? std::uint8_t{254} : std::uint8_t{255}});
  write_png(only_cat("x.png"), {4, 6, PNG_COLOR_TYPE_RGB_ALPHA, 8, bytes, {}, false});

  EXPECT_THAT(complaint(), AllOf(HasSubstr("test/cat/x.png"), HasSubstr("transparent")));
}

TEST_F(ImageFolder, ReadsGreyJpegs) {
  write_jpeg(only_cat("x.jpg"), 4, 6, 1, std::vector<std::uint8_t>(24, 120));

  const Tensor image = cat();

  // A constant image has one coefficient, which quality 100 keeps to within one level.
  EXPECT_EQ(image.size(0), 1);
  EXPECT_NEAR(image.to(torch::kDouble).mean().item<double>(), 120, 1);
}

TEST_F(ImageFolder, ReadsColouredJpegs) {
  std::vector<std::uint8_t> values;
  for (int i = 0; i < 24; ++i) values.insert(values.end(), {200, 100, 50});
  write_jpeg(only_cat("x.JPEG"), 4, 6, 3, values);

  const Tensor image = cat();

  // Conversion to YCbCr and back rounds twice.
  EXPECT_NEAR(image[0][1][1].item<int>(), 200, 3);
  EXPECT_NEAR(image[1][1][1].item<int>(), 100, 3);
  EXPECT_NEAR(image[2][1][1].item<int>(), 50, 3);
}

TEST_F(ImageFolder, LooksAtTheBytesAndNotAtTheName) {
  write_jpeg(only_cat("x.png"), 4, 6, 1, std::vector<std::uint8_t>(24, 120));

  EXPECT_EQ(cat().size(0), 1);
}

TEST_F(ImageFolder, RefusesCmyk) {
  write_jpeg(only_cat("x.jpg"), 4, 6, 4, std::vector<std::uint8_t>(96, 120));

  EXPECT_THAT(complaint(), AllOf(HasSubstr("x.jpg"), HasSubstr("4 channels"), HasSubstr("CMYK")));
}

// ---- sizes

TEST_F(ImageFolder, NeedsASizeWhereFilesDiffer) {
  write_grey_png(only_cat("x.png"), 5, 6, 1);

  EXPECT_THAT(complaint(),
              AllOf(HasSubstr("x.png"), HasSubstr("5 x 6"), HasSubstr("4 x 6"), HasSubstr("size")));
}

TEST_F(ImageFolder, ResizesToTheSize) {
  write_grey_png(only_cat("x.png"), 50, 9, 33);

  const Values values = {{"size", std::int64_t{3}}};

  EXPECT_EQ(open(values)->describe().height, 3);
  EXPECT_TRUE(torch::equal(cat(values), torch::full({1, 3, 3}, 33, torch::kByte)));
}

TEST_F(ImageFolder, StretchesEachAxisOnItsOwn) {
  // Columns 0 and 100: their area averages over three columns each.
  std::vector<std::uint8_t> bytes;
  for (int r = 0; r < 4; ++r) bytes.insert(bytes.end(), {0, 0, 30, 100, 100, 40});
  write_png(only_cat("x.png"), {4, 6, PNG_COLOR_TYPE_GRAY, 8, bytes, {}, false});

  const Tensor image = cat({{"size", std::int64_t{2}}});

  EXPECT_EQ(image[0][0][0].item<int>(), 10);
  EXPECT_EQ(image[0][1][1].item<int>(), 80);
}

TEST_F(ImageFolder, CutsOutTheSquareInTheMiddle) {
  std::vector<std::uint8_t> bytes;
  for (int r = 0; r < 4; ++r) bytes.insert(bytes.end(), {0, 10, 30, 100, 50, 40});
  write_png(only_cat("x.png"), {4, 6, PNG_COLOR_TYPE_GRAY, 8, bytes, {}, false});

  const Tensor image = cat({{"size", std::int64_t{2}}, {"fit", "crop"}});

  // Columns 1 to 4.
  EXPECT_EQ(image[0][0][0].item<int>(), 20);
  EXPECT_EQ(image[0][1][1].item<int>(), 75);
}

TEST_F(ImageFolder, CropsToASizeOnly) {
  EXPECT_THROW(open({{"fit", "crop"}}), ParamError);
}

// ---- what is refused

TEST_F(ImageFolder, SaysWhichFileIsCutShort) {
  const fs::path file = only_cat("x.png");
  write_grey_png(file, 4, 6, 1);
  const std::string bytes = read_file(file);

  for (std::size_t length = 0; length < bytes.size(); length += 5) {
    write_file(file, bytes.substr(0, length));
    EXPECT_THAT(complaint(), HasSubstr("test/cat/x.png")) << length << " of " << bytes.size();
  }
}

TEST_F(ImageFolder, SaysWhichJpegIsCutShort) {
  const fs::path file = only_cat("x.jpg");
  std::vector<std::uint8_t> values(24);
  for (std::size_t i = 0; i < 24; ++i) values[i] = static_cast<std::uint8_t>((i * 97) % 256);
  write_jpeg(file, 4, 6, 1, values);
  const std::string bytes = read_file(file);

  for (std::size_t length = 0; length + 2 < bytes.size(); length += 11) {
    write_file(file, bytes.substr(0, length));
    EXPECT_THAT(complaint(), HasSubstr("test/cat/x.jpg")) << length << " of " << bytes.size();
  }
}

TEST_F(ImageFolder, SaysWhichFileIsDamaged) {
  const fs::path file = only_cat("x.png");
  write_grey_png(file, 4, 6, 1);
  std::string bytes = read_file(file);
  bytes[bytes.find("IDAT") + 8] ^= 0x55;
  write_file(file, bytes);

  EXPECT_THAT(complaint(), AllOf(HasSubstr("test/cat/x.png"), HasSubstr("not a sound PNG file")));
}

TEST_F(ImageFolder, SaysWhichFileIsNoPicture) {
  write_file(only_cat("x.png"), "GIF89a");

  EXPECT_THAT(complaint(), AllOf(HasSubstr("x.png"), HasSubstr("neither a PNG nor a JPEG")));

  write_file(only_cat("x.png"), "version https://git-lfs.github.com/spec/v1\noid sha256:44");
  EXPECT_THAT(complaint(), HasSubstr("it is a Git LFS pointer"));
}

TEST_F(ImageFolder, SaysWhichFileIsEmpty) {
  write_file(only_cat("x.png"), "");

  EXPECT_THAT(complaint(), AllOf(HasSubstr("x.png"), HasSubstr("is empty")));
}

TEST_F(ImageFolder, RefusesOtherFilesAmongTheImages) {
  write_file(root() / "train/cat/notes.txt", "x");

  EXPECT_THAT(complaint(), AllOf(HasSubstr("notes.txt"), HasSubstr(".png, .jpg or .jpeg")));
}

TEST_F(ImageFolder, RefusesAnEmptyClass) {
  only_cat("");

  EXPECT_THAT(complaint(), AllOf(HasSubstr("test/cat"), HasSubstr("holds no image")));
}

TEST_F(ImageFolder, NeedsEveryClassInBothSplits) {
  fs::create_directory(root() / "test/emu");

  EXPECT_THAT(complaint(), AllOf(HasSubstr("train"), HasSubstr("no folder \"emu\"")));
}

TEST_F(ImageFolder, NeedsTwoClasses) {
  fs::remove_all(root() / "train/dog");
  fs::remove_all(root() / "test/dog");

  EXPECT_THAT(complaint(), AllOf(HasSubstr("holds 1 folders"), HasSubstr("two classes")));
}

TEST_F(ImageFolder, SaysWhatAFolderMustHold) {
  EXPECT_THAT(
      [&] {
        try {
          open_at(root() / "train")->describe();
        } catch (const DataError& error) {
          return std::string(error.what());
        }
        return std::string();
      }(),
      AllOf(HasSubstr("neither a folder train"), HasSubstr("test_fraction")));
}

TEST_F(ImageFolder, RefusesToSplitWhatIsSplit) {
  EXPECT_THAT(complaint({{"test_fraction", 0.5}}), HasSubstr("nothing to split"));
}

TEST_F(ImageFolder, SaysWhichFolderIsMissing) {
  try {
    open_at(root() / "nowhere")->describe();
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("nowhere"), HasSubstr("does not exist")));
  }
}

}  // namespace
}  // namespace unmask::test::image_folder_test
