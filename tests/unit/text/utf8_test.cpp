#include "text/utf8.hpp"

#include <gtest/gtest.h>

namespace unmask::words::utf8_test {
namespace {

TEST(Utf8, ReadsCodePointsOfEveryLength) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";

  EXPECT_EQ(code_point_at(text, 0).value, U'a');
  EXPECT_EQ(code_point_at(text, 1).value, U'\u00E9');
  EXPECT_EQ(code_point_at(text, 3).value, U'\u20AC');
  EXPECT_EQ(code_point_at(text, 6).value, U'\U0001F600');
  EXPECT_EQ(code_point_at(text, 6).bytes, 4U);
}

TEST(Utf8, RefusesWhatIsNone) {
  for (const char* bytes : {"\xC0\xAF",          // overlong '/'
                            "\xE0\x80\xAF",      // likewise
                            "\xF0\x80\x80\xAF",  // likewise
                            "\xED\xA0\x80",      // a surrogate
                            "\xF4\x90\x80\x80",  // above U+10FFFF
                            "\x80",              // a continuation alone
                            "\xE2\x82",          // cut
                            "\xFF"}) {
    const CodePoint point = code_point_at(bytes, 0);

    EXPECT_FALSE(point.is_valid) << bytes;
    EXPECT_EQ(point.bytes, 1U) << bytes;
    EXPECT_EQ(first_invalid_utf8("ab" + std::string(bytes)), 2U) << bytes;
  }
}

TEST(Utf8, TakesTheLastOfEveryRange) {
  for (const char* bytes :
       {"\x7F", "\xDF\xBF", "\xED\x9F\xBF", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(first_invalid_utf8(bytes), std::string_view::npos) << bytes;
  }
}

TEST(Utf8, ReplacesBadBytesOneByOne) {
  using namespace std::string_view_literals;

  EXPECT_EQ(valid_utf8("a\xFF\xE2\x82z\0"sv), "a???z?");
  EXPECT_EQ(valid_utf8("\x1B[0m\r\n"sv), "\x1B[0m\r\n");
}

TEST(Utf8, LeavesNothingThatMovesACursor) {
  EXPECT_EQ(printable("a\x1B[31m\r\n\tb\x7F\xFF\xC3\xA9"), "a?[31m?\n\tb??\xC3\xA9");
}

}  // namespace
}  // namespace unmask::words::utf8_test
