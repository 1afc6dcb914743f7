// What every data set must keep: the description is what loading gives, labels are in range, and
// the content hash is one of the content.

#include <set>
#include <string>

#include <torch/types.h>

#include "conformance/kinds.hpp"
#include "unmask/dataset.hpp"

namespace unmask::conformance {
namespace datasets {
namespace {

constexpr Split kSplits[] = {Split::kTrain, Split::kTest};

std::string name_of(Split split) {
  return split == Split::kTrain ? "train" : "test";
}

void loads_what_it_describes(const Subject& subject, Findings& findings) {
  const auto set = subject.make<Dataset>();
  const DatasetInfo info = set->describe();
  for (const Split split : kSplits) {
    const Samples samples = set->load(split);
    const std::int64_t count = split == Split::kTrain ? info.train_count : info.test_count;
    findings.expect(
        samples.images.sizes() == at::IntArrayRef({count, info.channels, info.height, info.width}),
        "the " + name_of(split) + " images have another shape than describe() says");
    findings.expect(samples.labels.sizes() == at::IntArrayRef({count}) &&
                        samples.labels.scalar_type() == at::kLong,
                    "the " + name_of(split) + " labels are not one int64 for each image");
  }
}

void labels_with_its_classes(const Subject& subject, Findings& findings) {
  const auto set = subject.make<Dataset>();
  const std::int64_t classes = set->describe().num_classes;
  for (const Split split : kSplits) {
    const Tensor labels = set->load(split).labels;
    findings.expect(
        labels.ge(0).logical_and(labels.lt(classes)).all().item<bool>(),
        "a " + name_of(split) + " label is not one of 0 to " + std::to_string(classes - 1));
  }
}

void has_images_to_test_with(const Subject& subject, Findings& findings) {
  const DatasetInfo info = subject.make<Dataset>()->describe();
  findings.expect(info.test_count > 0, "it has no test images");
  findings.expect(info.channels * info.height * info.width > 0, "its images have no pixels");
  findings.expect(info.num_classes >= 2, "it has fewer than two classes");
}

bool is_same(const DatasetInfo& a, const DatasetInfo& b) {
  return a.channels == b.channels && a.height == b.height && a.width == b.width &&
         a.num_classes == b.num_classes && a.train_count == b.train_count &&
         a.test_count == b.test_count && a.class_names == b.class_names;
}

void describes_the_same(const Subject& subject, Findings& findings) {
  const auto set = subject.make<Dataset>();
  const DatasetInfo before = set->describe();
  set->load(Split::kTest);
  set->content_hash();
  findings.expect(is_same(set->describe(), before), "describe() answers otherwise after load()");
  findings.expect(is_same(subject.make<Dataset>()->describe(), before),
                  "describe() of a second instance answers otherwise");
}

void gives_pixels(const Subject& subject, Findings& findings) {
  for (const Split split : kSplits) {
    const Tensor images = subject.make<Dataset>()->load(split).images;
    findings.expect(images.device().is_cpu(), "its images are not on the CPU");
    if (images.scalar_type() == at::kByte) continue;
    findings.expect(images.scalar_type() == at::kFloat, "its images are neither uint8 nor float32");
    if (images.numel() == 0) continue;
    findings.expect(images.min().item<double>() >= 0 && images.max().item<double>() <= 1,
                    "a pixel of the " + name_of(split) + " images is outside of [0, 1]");
  }
}

void names_every_class(const Subject& subject, Findings& findings) {
  const DatasetInfo info = subject.make<Dataset>()->describe();
  findings.expect(static_cast<std::int64_t>(info.class_names.size()) == info.num_classes,
                  "it has " + std::to_string(info.num_classes) + " classes and " +
                      std::to_string(info.class_names.size()) + " names");
  findings.expect(std::set<std::string>(info.class_names.begin(), info.class_names.end()).size() ==
                      info.class_names.size(),
                  "two of its classes have one name");
}

void hashes_its_content(const Subject& subject, Findings& findings) {
  const std::string hash = subject.make<Dataset>()->content_hash();
  findings.expect(
      hash.size() == 64 && hash.find_first_not_of("0123456789abcdef") == std::string::npos,
      "its content hash is not 64 hexadecimal digits");
  findings.expect(subject.make<Dataset>()->content_hash() == hash,
                  "its content hash is another one a second time");
}

void loads_the_same(const Subject& subject, Findings& findings) {
  const auto set = subject.make<Dataset>();
  for (const Split split : kSplits) {
    const Samples first = set->load(split);
    for (const Samples& again : {set->load(split), subject.make<Dataset>()->load(split)}) {
      findings.expect(
          at::equal(first.images, again.images) && at::equal(first.labels, again.labels),
          "the " + name_of(split) + " split differs a second time");
    }
  }
}

void lends_nothing(const Subject& subject, Findings& findings) {
  const Samples kept = subject.make<Dataset>()->load(Split::kTest);  // the instance is gone
  const Samples again = subject.make<Dataset>()->load(Split::kTest);
  findings.expect(at::equal(kept.images, again.images),
                  "images change when the instance that loaded them is gone");
}

constexpr Claim kClaims[] = {
    {"loads what it describes", loads_what_it_describes},
    {"labels with its classes", labels_with_its_classes},
    {"has images to test with", has_images_to_test_with},
    {"describes the same every time", describes_the_same},
    {"gives bytes, or numbers between 0 and 1", gives_pixels},
    {"names every class", names_every_class},
    {"hashes its content alike every time", hashes_its_content},
    {"loads the same every time", loads_the_same},
    {"keeps what it gave when it is gone", lends_nothing},
};

}  // namespace
}  // namespace datasets

std::span<const Claim> dataset_claims() {
  return datasets::kClaims;
}

}  // namespace unmask::conformance
