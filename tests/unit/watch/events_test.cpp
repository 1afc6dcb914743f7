// The stream that the page reads, and the page itself.

#include "watch/events.hpp"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.hpp"
#include "unmask/sha256.hpp"
#include "watch/page.hpp"

namespace unmask::watch::events_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<const std::string> shared(const std::string& text) {
  return std::make_shared<const std::string>(text);
}

TEST(Event, IsANameALineOfDataAndAnEmptyLine) {
  EXPECT_EQ(event("overview", "{}"), "event: overview\ndata: {}\n\n");
  EXPECT_EQ(event("x", ""), "event: x\ndata: \n\n");
}

// Otherwise a log with an empty line and "event: ..." in it would be an event of its own.
TEST(Event, KeepsLineEndsInsideOfItsData) {
  EXPECT_EQ(event("x", "a\n\nevent: y\r\rb\r\nc"),
            "event: x\ndata: a\ndata: \ndata: event: y\ndata: \ndata: b\ndata: c\n\n");
}

TEST(Viewer, HearsOfAPartOnceUntilItChanges) {
  Viewer viewer;
  const auto overview = shared("1");

  EXPECT_EQ(viewer.news({{"overview", overview}, {"live", shared("2")}}),
            event("overview", "1") + event("live", "2"));
  EXPECT_EQ(viewer.news({{"overview", overview}, {"live", shared("2")}}), "");
  EXPECT_EQ(viewer.news({{"overview", shared("3")}, {"live", shared("2")}}),
            event("overview", "3"));
}

TEST(Viewer, StartsAnew) {
  Viewer first, second;
  const auto overview = shared("1");
  first.news({{"overview", overview}});

  EXPECT_EQ(second.news({{"overview", overview}}), event("overview", "1"));
}

// RFC 4648, section 10: "", "f", "fo", "foo", "foob", "fooba", "foobar".
TEST(Base64, AgreesWithTheTestVectorsOfItsStandard) {
  EXPECT_EQ(base::base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base::base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base::base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base::base64(std::string("\xff\x00\xfe", 3)), "/wD+");
  EXPECT_EQ(base::base64_of_hex(""), "");
  EXPECT_EQ(base::base64_of_hex("66"), "Zg==");
  EXPECT_EQ(base::base64_of_hex("666f"), "Zm8=");
  EXPECT_EQ(base::base64_of_hex("666f6f"), "Zm9v");
  EXPECT_EQ(base::base64_of_hex("666f6f62"), "Zm9vYg==");
  EXPECT_EQ(base::base64_of_hex("666f6f6261"), "Zm9vYmE=");
  EXPECT_EQ(base::base64_of_hex("666f6f626172"), "Zm9vYmFy");
}

std::string between(const std::string& text, const std::string& first, const std::string& last) {
  const std::size_t begin = text.find(first) + first.size();
  return text.substr(begin, text.find(last, begin) - begin);
}

TEST(Page, RunsItsOwnScriptAndStyleAndNothingElse) {
  const std::string policy = content_security_policy();
  const auto source = [](const std::string& text) {
    return "'sha256-" + base::base64_of_hex(sha256_hex(text)) + "'";
  };

  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("script-src " + source(between(page(), "<script>", "</script>"))));
  EXPECT_THAT(policy, HasSubstr("style-src " + source(between(page(), "<style>", "</style>"))));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
}

TEST(Page, AsksNobodyElse) {
  EXPECT_THAT(page(), Not(HasSubstr("https://")));
  // The one address in it names the vocabulary of drawings; nobody asks it for anything.
  std::string rest = page();
  const std::string vocabulary = "http://www.w3.org/2000/svg";
  rest.erase(rest.find(vocabulary), vocabulary.size());
  EXPECT_THAT(rest, Not(HasSubstr("http://")));
}

// Names and messages of a database are anybody's.
TEST(Page, MakesNoMarkupOfTexts) {
  for (const char* way : {"innerHTML",
                          "outerHTML",
                          "insertAdjacentHTML",
                          "document.write",
                          "eval(",
                          "new Function"}) {
    EXPECT_THAT(page(), Not(HasSubstr(way)));
  }
}

}  // namespace
}  // namespace unmask::watch::events_test
