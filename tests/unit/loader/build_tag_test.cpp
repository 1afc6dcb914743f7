#include "loader/build_tag.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace unmask::loader::build_tag_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

const std::string kStart = std::string("@unmask-build") + "-tag:";

TEST(FindBuildTags, FindsATagBetweenOtherBytes) {
  const std::string tag = kStart + "epoch=1;compiler=gcc-12@";
  const std::string bytes = std::string("\0\x7f@@", 4) + tag + std::string("\0tail", 5);

  EXPECT_THAT(find_build_tags(bytes), ElementsAre(tag));
}

TEST(FindBuildTags, CountsEqualTagsOnce) {
  const std::string tag = kStart + "epoch=1@";

  EXPECT_THAT(find_build_tags(tag + tag), ElementsAre(tag));
}

TEST(FindBuildTags, KeepsDifferentTagsInTheirOrder) {
  const std::string first = kStart + "epoch=2@", second = kStart + "epoch=1@";

  EXPECT_THAT(find_build_tags(first + second), ElementsAre(first, second));
}

TEST(FindBuildTags, TakesTheStartAloneForNoTag) {
  EXPECT_THAT(find_build_tags(kStart + std::string(1, '\0') + "epoch=1@"), IsEmpty());
}

TEST(FindBuildTags, TakesATagWithoutAnEndForNone) {
  EXPECT_THAT(find_build_tags(kStart + "epoch=1"), IsEmpty());
}

TEST(FindBuildTags, TakesATagWithoutFieldsForNone) {
  EXPECT_THAT(find_build_tags(kStart + "@" + kStart + "epoch@"), IsEmpty());
}

TEST(FindBuildTags, DoesNotReadOnForEver) {
  EXPECT_THAT(find_build_tags(kStart + "a=" + std::string(10000, 'x') + "@"), IsEmpty());
}

TEST(TagFields, KeepTheirOrder) {
  EXPECT_THAT(tag_fields(kStart + "epoch=1;libtorch=2.6.0@"),
              ElementsAre(Pair("epoch", "1"), Pair("libtorch", "2.6.0")));
}

TEST(TagMismatch, IsNothingForEqualTags) {
  EXPECT_EQ(tag_mismatch(kStart + "epoch=1@", kStart + "epoch=1@"), std::nullopt);
}

TEST(TagMismatch, NamesAllDifferingFieldsAndNoOther) {
  const auto mismatch = tag_mismatch(kStart + "epoch=2;compiler=gcc-12;libtorch=2.6.0@",
                                     kStart + "epoch=1;compiler=gcc-12;libtorch=1.13.0@");

  EXPECT_EQ(mismatch,
            "was built for another host: SDK epoch 2 (this host: 1), LibTorch 2.6.0 (this host: "
            "1.13.0); rebuild it with this host's compiler and LibTorch against this unmask");
}

TEST(TagMismatch, NamesAFieldThatOnlyOneHas) {
  EXPECT_THAT(tag_mismatch(kStart + "epoch=1@", kStart + "epoch=1;compiler=gcc-12@").value(),
              HasSubstr("compiler not named (this host: gcc-12)"));
}

TEST(TagMismatch, NoticesAnotherOrder) {
  EXPECT_THAT(tag_mismatch(kStart + "a=1;b=2@", kStart + "b=2;a=1@").value(),
              HasSubstr("the same fields in another order"));
}

TEST(LibraryViolation, RefusesNothingAndText) {
  EXPECT_EQ(library_violation(""), "is empty; build or copy it again");
  EXPECT_THAT(library_violation("some text").value(), HasSubstr("is not a shared library"));
}

TEST(LibraryViolation, SurvivesHeadersThatPointAnywhere) {
  // A valid start, then offsets and counts of all ones.
  const std::string bytes = std::string(
                                "\x7f"
                                "ELF\x02\x01\x01",
                                7) +
                            std::string(9, '\0') + std::string("\x03\x00\x3e\x00", 4) +
                            std::string(200, '\xff');

  EXPECT_THAT(library_violation(bytes), Not(std::nullopt));
}

}  // namespace
}  // namespace unmask::loader::build_tag_test
