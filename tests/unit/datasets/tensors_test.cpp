// The data set `tensors`: what it reads from good files, and what it says of every kind of bad one.

#include <limits>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/plugins.hpp"
#include "support/tensor_files.hpp"
#include "unmask/errors.hpp"

namespace unmask::test::tensors_test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class TensorFiles : public testing::Test {
 protected:
  fs::path file(const std::string& name) const { return folder_.path() / name; }

  // A file with these tensors, and a data set with it as both splits.
  std::unique_ptr<Dataset> with(const Tensor& images, const Tensor& labels) const {
    write_tensors(file("x.safetensors"), images, labels);
    return open({{"file", file("x.safetensors").string()}});
  }
  static std::unique_ptr<Dataset> open(std::map<std::string, ParamValue> values) {
    return make_plugin<Dataset>("dataset", "tensors", std::move(values));
  }

  // What is said when the data set is described, hashed and loaded.
  static std::string complaint(Dataset& set) {
    try {
      set.describe();
      set.content_hash();
      set.load(Split::kTest);
    } catch (const DataError& error) {
      return error.what();
    }
    return "no DataError";
  }
  std::string complaint(const Tensor& images, const Tensor& labels) const {
    return complaint(*with(images, labels));
  }
  static std::string refusal(std::map<std::string, ParamValue> values) {
    try {
      open(std::move(values));
    } catch (const ParamError& error) {
      return error.what();
    }
    return "no ParamError";
  }

  const TempFolder folder_;
  const Tensor images_ = torch::arange(4 * 2 * 3).to(torch::kByte).view({4, 1, 2, 3});
  const Tensor labels_ = torch::tensor({0, 1, 2, 1}, torch::kLong);
};

TEST_F(TensorFiles, SayTheirShape) {
  const DatasetInfo info = with(images_, labels_)->describe();

  EXPECT_EQ(info.channels, 1);
  EXPECT_EQ(info.height, 2);
  EXPECT_EQ(info.width, 3);
  EXPECT_EQ(info.train_count, 4);
  EXPECT_EQ(info.test_count, 4);
}

TEST_F(TensorFiles, HaveAsManyClassesAsTheLargestLabelSays) {
  EXPECT_EQ(with(images_, labels_)->describe().num_classes, 3);
}

TEST_F(TensorFiles, AreToldThatTheirLabelsAreCountedFromOne) {
  write_tensors(file("x.safetensors"), images_, torch::tensor({1, 2, 3, 1}, torch::kLong));

  EXPECT_THAT(complaint(*open(
                  {{"file", file("x.safetensors").string()}, {"num_classes", std::int64_t{3}}})),
              HasSubstr("counted from 1: subtract 1"));
}

TEST_F(TensorFiles, MayHoldTensorsOfAnyDtypeThatNobodyReads) {
  // What the index of a pandas frame becomes; made by hand, since this host cannot write it.
  const std::string header = R"({"images":{"dtype":"U8","shape":[2,1,1,1],"data_offsets":[8,10]},)"
                             R"("ids":{"dtype":"U32","shape":[2],"data_offsets":[0,8]},)"
                             R"("labels":{"dtype":"U8","shape":[2],"data_offsets":[10,12]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  write_file(file("x.safetensors"), bytes + header + std::string(8, '\1') + "ab" + '\0' + '\1');

  EXPECT_EQ(complaint(*open({{"file", file("x.safetensors").string()}})), "no DataError");
}

TEST_F(TensorFiles, MayHaveClassesWithoutSamples) {
  write_tensors(file("x.safetensors"), images_, labels_);

  const DatasetInfo info =
      open({{"file", file("x.safetensors").string()}, {"num_classes", std::int64_t{7}}})
          ->describe();

  EXPECT_EQ(info.num_classes, 7);
  EXPECT_EQ(info.class_names.size(), 7U);
}

TEST_F(TensorFiles, NameTheirClassesAsTheManifestDoes) {
  write_tensors(file("x.safetensors"), images_, labels_);

  const DatasetInfo info =
      open({{"file", file("x.safetensors").string()}, {"class_names", "red fox, owl ,newt, bee"}})
          ->describe();

  EXPECT_EQ(info.class_names, (std::vector<std::string>{"red fox", "owl", "newt", "bee"}));
  EXPECT_EQ(info.num_classes, 4);
}

TEST_F(TensorFiles, GiveBytesAsTheyAre) {
  const Samples samples = with(images_, labels_)->load(Split::kTest);

  EXPECT_TRUE(torch::equal(samples.images, images_));
  EXPECT_TRUE(torch::equal(samples.labels, labels_));
}

TEST_F(TensorFiles, GiveNumbersAsTheyAre) {
  const Tensor images = torch::rand({4, 3, 2, 2});

  EXPECT_TRUE(torch::equal(with(images, labels_)->load(Split::kTrain).images, images));
}

TEST_F(TensorFiles, MayHaveLabelsOf32Or8Bits) {
  for (const auto dtype : {torch::kInt, torch::kByte}) {
    const Samples samples = with(images_, labels_.to(dtype))->load(Split::kTest);
    EXPECT_TRUE(torch::equal(samples.labels, labels_)) << dtype;
  }
}

TEST_F(TensorFiles, MayBeDifferentForTheTwoSplits) {
  write_tensors(file("a"), images_, labels_);
  write_tensors(file("b"), images_.narrow(0, 1, 2) + 100, labels_.narrow(0, 1, 2));
  const auto set = open({{"train", file("a").string()}, {"test", file("b").string()}});

  EXPECT_EQ(set->describe().train_count, 4);
  EXPECT_EQ(set->describe().test_count, 2);
  EXPECT_EQ(set->load(Split::kTest).images[0].flatten()[0].item<int>(), 106);
}

TEST_F(TensorFiles, MayLeaveASplitEmpty) {
  write_tensors(file("b"), images_, labels_);
  const auto set = open({{"test", file("b").string()}});

  EXPECT_EQ(set->describe().train_count, 0);
  EXPECT_EQ(set->load(Split::kTrain).images.sizes(), at::IntArrayRef({0, 1, 2, 3}));
  EXPECT_EQ(set->load(Split::kTest).labels.size(0), 4);
}

TEST_F(TensorFiles, CountClassesOverBothSplits) {
  write_tensors(file("a"), images_, labels_);
  write_tensors(file("b"), images_, labels_ + 4);

  EXPECT_EQ(
      open({{"train", file("a").string()}, {"test", file("b").string()}})->describe().num_classes,
      7);
}

// ---- the hash

TEST_F(TensorFiles, HashTheirTensorsAndNothingElse) {
  write_tensors(file("a"), images_, labels_);
  write_file(
      file("b"),
      safetensors_bytes({{"more", torch::ones({5})}, {"labels", labels_}, {"images", images_}},
                        {{"made", "by hand"}}));

  EXPECT_EQ(open({{"file", file("a").string()}})->content_hash(),
            open({{"file", file("b").string()}})->content_hash());
}

TEST_F(TensorFiles, HashAlikeWhereverTheyLie) {
  write_tensors(file("a"), images_, labels_);
  fs::create_directory(file("deep"));
  fs::copy(file("a"), file("deep") / "b");

  EXPECT_EQ(open({{"train", file("a").string()}, {"test", file("a").string()}})->content_hash(),
            open({{"train", file("a").string()}, {"test", (file("deep") / "b").string()}})
                ->content_hash());
}

TEST_F(TensorFiles, HashEveryPixelAndEveryLabel) {
  const std::string before = with(images_, labels_)->content_hash();
  Tensor images = images_.clone();
  images[3][0][1][2] += 1;
  Tensor labels = labels_.clone();
  labels[0] = 2;

  EXPECT_NE(with(images, labels_)->content_hash(), before);
  EXPECT_NE(with(images_, labels)->content_hash(), before);
}

TEST_F(TensorFiles, HashWhichSplitAFileIs) {
  write_tensors(file("a"), images_, labels_);

  EXPECT_NE(open({{"train", file("a").string()}})->content_hash(),
            open({{"test", file("a").string()}})->content_hash());
}

// ---- what is refused

TEST_F(TensorFiles, AreMissedByName) {
  EXPECT_THAT(complaint(*open({{"test", file("absent").string()}})),
              AllOf(HasSubstr("data set tensors"), HasSubstr("absent"), HasSubstr("no such file")));
}

TEST_F(TensorFiles, OfAnotherFormatAreRefused) {
  write_file(file("x"), "once upon a time there was a file");

  EXPECT_THAT(complaint(*open({{"test", file("x").string()}})),
              AllOf(HasSubstr("/x"), HasSubstr("not a usable safetensors file")));
}

TEST_F(TensorFiles, CutShortAreRefused) {
  write_tensors(file("x"), images_, labels_);
  fs::resize_file(file("x"), fs::file_size(file("x")) - 1);

  EXPECT_THAT(complaint(*open({{"test", file("x").string()}})), HasSubstr("truncated"));
}

TEST_F(TensorFiles, WithoutImagesAreRefused) {
  write_file(file("x"), safetensors_bytes({{"X", images_}, {"labels", labels_}}));

  EXPECT_THAT(complaint(*open({{"test", file("x").string()}})),
              AllOf(HasSubstr("no tensor \"images\""), HasSubstr("\"X\", \"labels\"")));
}

TEST_F(TensorFiles, WithoutLabelsAreRefused) {
  write_file(file("x"), safetensors_bytes({{"images", images_}}));

  EXPECT_THAT(complaint(*open({{"test", file("x").string()}})), HasSubstr("no tensor \"labels\""));
}

TEST_F(TensorFiles, WithAnotherDtypeAreRefused) {
  EXPECT_THAT(complaint(images_.to(torch::kDouble) / 255, labels_),
              AllOf(HasSubstr("\"images\" has dtype F64"), HasSubstr("float32")));
  EXPECT_THAT(complaint(images_, labels_.to(torch::kFloat)),
              AllOf(HasSubstr("\"labels\" has dtype F32"), HasSubstr("int64")));
}

TEST_F(TensorFiles, WithAnotherShapeAreRefused) {
  EXPECT_THAT(complaint(images_.squeeze(1), labels_),
              AllOf(HasSubstr("[4, 2, 3]"), HasSubstr("must be [N, C, H, W]")));
  EXPECT_THAT(complaint(images_, labels_.view({4, 1})),
              AllOf(HasSubstr("[4, 1]"), HasSubstr("must be [N]")));
}

TEST_F(TensorFiles, WithFewerLabelsThanImagesAreRefused) {
  EXPECT_THAT(complaint(images_, labels_.narrow(0, 0, 3)),
              AllOf(HasSubstr("[3]"), HasSubstr("[4, 1, 2, 3]")));
}

TEST_F(TensorFiles, WithoutSamplesAreRefused) {
  EXPECT_THAT(complaint(images_.narrow(0, 0, 0), labels_.narrow(0, 0, 0)),
              HasSubstr("no size may be zero"));
}

TEST_F(TensorFiles, WithANegativeLabelAreRefused) {
  EXPECT_THAT(complaint(images_, labels_ - 1), HasSubstr("label 0 is -1"));
}

TEST_F(TensorFiles, WithALabelBeyondTheClassesAreRefused) {
  write_tensors(file("x"), images_, labels_);
  const auto set = open({{"file", file("x").string()}, {"num_classes", std::int64_t{2}}});

  EXPECT_THAT(complaint(*set), AllOf(HasSubstr("label 2 is 2"), HasSubstr("0 to 1")));
}

TEST_F(TensorFiles, WithAnImpossiblyLargeLabelAreRefused) {
  EXPECT_THAT(complaint(images_, labels_ + (std::int64_t{1} << 40)), HasSubstr("label 0 is"));
}

TEST_F(TensorFiles, WithAValueOutsideOfTheUnitIntervalAreRefused) {
  for (const double value : {-0.01, 1.01, 200.0, std::numeric_limits<double>::infinity()}) {
    Tensor images = torch::rand({4, 1, 2, 3});
    images[2][0][0][1] = value;
    EXPECT_THAT(complaint(images, labels_), AllOf(HasSubstr("image 2"), HasSubstr("[0, 1]")));
  }
}

TEST_F(TensorFiles, WithANumberThatIsNoneAreRefused) {
  Tensor images = torch::rand({4, 1, 2, 3});
  images[3][0][1][1] = std::numeric_limits<double>::quiet_NaN();

  EXPECT_THAT(complaint(images, labels_), AllOf(HasSubstr("image 3"), HasSubstr("nan")));
}

TEST_F(TensorFiles, OfTwoImageSizesAreRefused) {
  write_tensors(file("a"), images_, labels_);
  write_tensors(file("b"), images_.transpose(2, 3), labels_);

  EXPECT_THAT(complaint(*open({{"train", file("a").string()}, {"test", file("b").string()}})),
              AllOf(HasSubstr("[4, 1, 3, 2]"), HasSubstr("[4, 1, 2, 3]")));
}

TEST_F(TensorFiles, MustBeNamed) {
  EXPECT_THAT(refusal({}), HasSubstr("\"train\", \"test\" and \"file\""));
}

TEST_F(TensorFiles, AreNamedInOneWayOnly) {
  EXPECT_THAT(refusal({{"file", "a"}, {"test", "b"}}), HasSubstr("stands for both splits"));
}

TEST_F(TensorFiles, NeedAsManyNamesAsClasses) {
  EXPECT_THAT(refusal({{"file", "a"}, {"class_names", "x,y"}, {"num_classes", std::int64_t{3}}}),
              AllOf(HasSubstr("2 names"), HasSubstr("= 3")));
}

TEST_F(TensorFiles, NeedDifferentNames) {
  EXPECT_THAT(refusal({{"file", "a"}, {"class_names", "x,y,x"}}), HasSubstr("different names"));
  EXPECT_THAT(refusal({{"file", "a"}, {"class_names", "x,,y"}}), HasSubstr("different names"));
}

}  // namespace
}  // namespace unmask::test::tensors_test
