// Who may see the watch page.

#include "watch/guard.hpp"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace unmask::watch::guard_test {
namespace {

using ::testing::HasSubstr;

const std::string kToken(64, 'a');

Asked good() {
  return {.method = "GET",
          .host = "127.0.0.1:8080",
          .origin = "",
          .fetch_site = "",
          .fetch_mode = "",
          .token = kToken};
}

int status(const Asked& asked, const std::string& address = "127.0.0.1") {
  const auto refusal = Guard(kToken, address, 8080, "node7").refuse(asked);
  return refusal ? refusal->status : 200;
}

TEST(Secret, IsEqualOnlyToItself) {
  EXPECT_TRUE(is_same_secret("abc", "abc"));
  EXPECT_TRUE(is_same_secret("", ""));
  for (const char* other : {"", "ab", "abd", "xbc", "abcd"}) {
    EXPECT_FALSE(is_same_secret(other, "abc")) << other;
  }
}

TEST(Secret, IsNewEachTime) {
  std::set<std::string> tokens;
  for (int i = 0; i < 20; ++i) tokens.insert(random_token());

  EXPECT_EQ(tokens.size(), 20U);
  for (const std::string& token : tokens) {
    EXPECT_EQ(token.size(), 64U);
    EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
}

TEST(Guard, LetsInWhoKnowsTheToken) {
  EXPECT_EQ(status(good()), 200);
}

TEST(Guard, RefusesAMissingAndAWrongToken) {
  for (const std::string& token : {std::string(),
                                   std::string("a"),
                                   std::string(64, 'b'),
                                   std::string(63, 'a'),
                                   std::string(65, 'a')}) {
    Asked asked = good();
    asked.token = token;
    EXPECT_EQ(status(asked), 403) << token;
  }
}

TEST(Guard, AnswersGetAlone) {
  for (const char* method : {"POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", ""}) {
    Asked asked = good();
    asked.method = method;
    EXPECT_EQ(status(asked), 405) << method;
  }
}

TEST(Guard, KnowsItsOwnNames) {
  for (const char* host :
       {"127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080", "127.0.0.5:8080"}) {
    Asked asked = good();
    asked.host = host;
    EXPECT_EQ(status(asked), 200) << host;
  }
}

// A page of attacker.example whose name was made to point to 127.0.0.1 sends that name as Host.
TEST(Guard, RefusesOtherNamesOfThisAddress) {
  for (const char* host : {"attacker.example:8080",
                           "127.0.0.1",
                           "127.0.0.1:80",
                           "127.0.0.1:80800",
                           "127.0.0.1.attacker.example:8080",
                           "localhost.attacker.example:8080",
                           "127.attacker.example:8080",
                           "10.0.0.1:8080",
                           "node7:8080",
                           "",
                           "[::1",
                           "[::1]8080",
                           ":8080"}) {
    Asked asked = good();
    asked.host = host;
    EXPECT_EQ(status(asked), 403) << host;
  }
}

TEST(Guard, RefusesOtherOrigins) {
  for (const char* origin : {"https://attacker.example",
                             "http://127.0.0.1:9999",
                             "null",
                             "https://127.0.0.1:8080",
                             "http://localhost",
                             "http://a@127.0.0.1:8080"}) {
    Asked asked = good();
    asked.origin = origin;
    EXPECT_EQ(status(asked), 403) << origin;
  }
  Asked own = good();
  own.origin = "http://127.0.0.1:8080";
  EXPECT_EQ(status(own), 200);
}

TEST(Guard, RefusesPagesOfOtherSitesButNotTheirLinks) {
  Asked asked = good();
  asked.fetch_site = "cross-site";
  asked.fetch_mode = "no-cors";
  EXPECT_EQ(status(asked), 403);

  asked.fetch_mode = "navigate";
  EXPECT_EQ(status(asked), 200);

  asked.token.clear();
  EXPECT_EQ(status(asked), 403);
}

TEST(Guard, OnAnOpenAddressTakesAddressesAndTheNameOfTheMachine) {
  for (const char* host : {"10.0.0.1:8080", "node7:8080", "[fe80::1]:8080", "localhost:8080"}) {
    Asked asked = good();
    asked.host = host;
    EXPECT_EQ(status(asked, "0.0.0.0"), 200) << host;
  }
  Asked asked = good();
  asked.host = "attacker.example:8080";
  EXPECT_EQ(status(asked, "0.0.0.0"), 403);
}

TEST(Guard, SaysWhatToDoAboutAMissingToken) {
  Asked asked = good();
  asked.token.clear();

  EXPECT_THAT(Guard(kToken, "127.0.0.1", 8080).refuse(asked)->reason,
              HasSubstr("open the address that unmask watch printed"));
}

}  // namespace
}  // namespace unmask::watch::guard_test
