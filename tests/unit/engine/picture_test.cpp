#include "engine/picture.hpp"

#include <torch/types.h>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "engine/adversarials.hpp"
#include "engine/safetensors.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::engine::picture_test {
namespace {

// Two grey images of 32 x 32 pixels: tiles are enlarged twice, to 64.
const std::int64_t kTile = 64;

Tensor images() {
  return at::full({2, 1, 32, 32}, 0.25, at::kFloat);
}

// One pixel of the first image is moved by 0.125, none of the second.
Tensor adversarials() {
  Tensor result = images();
  result[0][0][10][20] = 0.375f;
  return result;
}

std::vector<int> pixel(const Tensor& picture, std::int64_t row, std::int64_t column) {
  const Tensor p = picture[row][column];
  return {p[0].item<int>(), p[1].item<int>(), p[2].item<int>()};
}

// A margin of 4, then image, adversarial image, difference with 4 between them.
const std::int64_t kImage = 4;
const std::int64_t kAdversarial = kImage + kTile + 4;
const std::int64_t kDifference = kAdversarial + kTile + 4;

Tensor picture(std::int64_t columns = 1) {
  return picture_of(images(), adversarials(), torch::tensor({true, false}), columns);
}

TEST(Picture, ShowsImageAdversarialAndAmplifiedDifference) {
  const Tensor drawn = picture();
  const std::int64_t row = 4 + 2 * 10;
  const std::int64_t column = 2 * 20;
  const std::vector<int> grey = {64, 64, 64};     // 0.25 * 255 rounded
  const std::vector<int> moved = {96, 96, 96};    // 0.375 * 255 rounded
  const std::vector<int> zero = {128, 128, 128};  // no difference
  const std::vector<int> white = {255, 255, 255};

  EXPECT_EQ(drawn.sizes(), at::IntArrayRef({2 * (kTile + 4) + 4, 3 * (kTile + 4) + 4, 3}));
  EXPECT_EQ(pixel(drawn, row, kImage + column), grey);
  EXPECT_EQ(pixel(drawn, row, kAdversarial + column), moved);
  EXPECT_EQ(pixel(drawn, row + 1, kAdversarial + column + 1), moved);
  EXPECT_EQ(pixel(drawn, row + 2, kAdversarial + column), grey);
  EXPECT_EQ(pixel(drawn, row, kDifference + column), white);
  EXPECT_EQ(pixel(drawn, row + 2, kDifference + column), zero);
}

TEST(Picture, FramesFooledSamplesInRedAndOthersInGreen) {
  const Tensor drawn = picture();
  const auto first = pixel(drawn, 4 - 1, kAdversarial);
  const auto second = pixel(drawn, 4 + kTile + 4 - 1, kAdversarial);

  EXPECT_GT(first[0], 2 * first[1]);
  EXPECT_GT(second[1], 2 * second[0]);
}

TEST(Picture, PutsSamplesSideBySide) {
  EXPECT_EQ(picture(2).sizes(), at::IntArrayRef({kTile + 8, 2 * (3 * (kTile + 4) + 4), 3}));
  EXPECT_EQ(picture(7).sizes(), picture(2).sizes());
}

TEST(Picture, DrawsColours) {
  const Tensor red =
      at::tensor({1.0, 0.0, 0.0}, at::kDouble).view({1, 3, 1, 1}).expand({1, 3, 8, 8});

  const Tensor drawn = picture_of(red, red, torch::tensor({false}), 1);

  EXPECT_EQ(pixel(drawn, 4, 4), (std::vector<int>{255, 0, 0}));
}

wire::ResultFile keep(const std::filesystem::path& folder) {
  const LoadedSplit data{images(), at::tensor({3, 4}, at::kLong)};
  return save_adversarials(
      folder, "abc", data, adversarials(), {{0, 3, 3, 5, 0.125, 7}, {1, 4, 4, 4, 0, 9}});
}

TEST(Adversarials, AreKeptWithTheirClasses) {
  const base::TempFolder folder;

  const wire::ResultFile file = keep(folder.path());

  EXPECT_EQ(file.path, "abc.safetensors");
  EXPECT_EQ(file.sha256, sha256_file(folder.path() / file.path));
  const TensorFile content = read_safetensors(folder.path() / file.path);
  EXPECT_TRUE(at::equal(*content.find("images"), images()));
  EXPECT_TRUE(at::equal(*content.find("adversarials"), adversarials()));
  EXPECT_TRUE(at::equal(*content.find("labels"), at::tensor({3, 4}, at::kLong)));
  EXPECT_TRUE(at::equal(*content.find("clean_predictions"), at::tensor({3, 4}, at::kLong)));
  EXPECT_TRUE(at::equal(*content.find("predictions"), at::tensor({5, 4}, at::kLong)));
  EXPECT_EQ(content.metadata.at("cell"), "abc");
}

TEST(Adversarials, AreDrawnAsPng) {
  const base::TempFolder folder;
  keep(folder.path());
  const auto output = folder.path() / "picture.png";

  draw_adversarials(folder.path() / "abc.safetensors", {1, 0}, 1, output);

  const std::string bytes = base::read_file(output);
  ASSERT_GT(bytes.size(), 24U);
  EXPECT_EQ(bytes.substr(0, 8), "\x89PNG\r\n\x1a\n");
  // Width and height, big endian, of the header chunk.
  EXPECT_EQ(static_cast<unsigned char>(bytes[19]), 3 * (kTile + 4) + 4);
  EXPECT_EQ(static_cast<unsigned char>(bytes[23]), 2 * (kTile + 4) + 4);
}

TEST(Adversarials, ThatAreOfAnotherKindAreRefused) {
  const base::TempFolder folder;
  write_safetensors(folder.path() / "net.safetensors", {{"weight", at::ones({1})}});

  EXPECT_THROW(
      draw_adversarials(folder.path() / "net.safetensors", {0}, 1, folder.path() / "p.png"),
      DataError);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "p.png"));
}

TEST(Adversarials, DoNotHoldEverySample) {
  const base::TempFolder folder;
  keep(folder.path());

  EXPECT_THROW(
      draw_adversarials(folder.path() / "abc.safetensors", {2}, 1, folder.path() / "p.png"),
      ParamError);
}

}  // namespace
}  // namespace unmask::engine::picture_test
