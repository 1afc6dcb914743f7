#include "base/json_members.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace unmask::base::json_members_test {
namespace {

using nlohmann::json;

std::map<std::string, std::string> members_of(const std::string& text, bool* is_good = nullptr) {
  std::map<std::string, std::string> found;
  const bool result = for_each_member(text, [&](std::string_view name, std::string_view value) {
    found[std::string(name)] = value;
  });
  if (is_good != nullptr) *is_good = result;
  return found;
}

TEST(JsonMembers, AreThoseOfTheObject) {
  const json object = {{"text", "a \"b\", {c: [\\"},
                       {"list", {1, {{"x", "]}"}}, json::array()}},
                       {"object", {{"text", 1}, {"y", {{"z", nullptr}}}}},
                       {"empty", json::object()},
                       {"number", -1.5e-3},
                       {"none", nullptr},
                       {"truth", true}};

  bool is_good = false;
  const auto found = members_of(object.dump(), &is_good);

  EXPECT_TRUE(is_good);
  ASSERT_EQ(found.size(), object.size());
  for (const auto& [name, value] : object.items()) EXPECT_EQ(found.at(name), value.dump()) << name;
  EXPECT_TRUE(members_of("{}", &is_good).empty());
  EXPECT_TRUE(is_good);
}

TEST(JsonMembers, WhatIsNoCompactObjectIsSaidToBeNone) {
  for (const char* text : {"",
                           "{",
                           "[]",
                           "1",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{ \"a\": 1 }",
                           "{\"a\":[1}",
                           "{\"a\":1]}",
                           "{\"a\":\"x}",
                           "{\"a\":1,b}"}) {
    bool is_good = true;
    members_of(text, &is_good);
    EXPECT_FALSE(is_good) << text;
  }
}

}  // namespace
}  // namespace unmask::base::json_members_test
