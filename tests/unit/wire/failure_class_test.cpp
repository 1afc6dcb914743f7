#include "wire/failure_class.hpp"

#include <gtest/gtest.h>

namespace unmask::wire::failure_class_test {
namespace {

using nlohmann::json;

constexpr FailureClass kAll[] = {FailureClass::kPluginError,
                                 FailureClass::kCrash,
                                 FailureClass::kTimeout,
                                 FailureClass::kOutOfMemory,
                                 FailureClass::kDeviceFault,
                                 FailureClass::kInvalid,
                                 FailureClass::kInterrupted};

TEST(FailureClasses, HaveTheNamesThatAreStored) {
  std::string names;
  for (const FailureClass one : kAll) names += std::string(to_string(one)) + " ";

  EXPECT_EQ(names, "plugin_error crash timeout oom device_fault invalid interrupted ");
}

TEST(FailureClasses, SurviveTheirWayThroughJson) {
  for (const FailureClass one : kAll) EXPECT_EQ(json(one).get<FailureClass>(), one);
}

TEST(FailureClasses, RefuseAnotherName) {
  EXPECT_FALSE(parse_failure_class("Crash").has_value());
  EXPECT_THROW(json("bad luck").get<FailureClass>(), json::exception);
}

TEST(FailureClasses, AreRetriedByTheTableOfTheManual) {
  EXPECT_EQ(retries_of(FailureClass::kPluginError, {}), 0);
  EXPECT_EQ(retries_of(FailureClass::kCrash, {}), 1);
  EXPECT_EQ(retries_of(FailureClass::kTimeout, {}), 0);
  EXPECT_EQ(retries_of(FailureClass::kOutOfMemory, {}), 1);
  EXPECT_EQ(retries_of(FailureClass::kDeviceFault, {}), 1);
  EXPECT_EQ(retries_of(FailureClass::kInvalid, {}), 0);
  EXPECT_EQ(retries_of(FailureClass::kInterrupted, {}), 0);
}

TEST(FailureClasses, AreRetriedAsOftenAsAskedAndTheOthersAsBefore) {
  const RetryLimits limits = {{FailureClass::kTimeout, 3}, {FailureClass::kCrash, 0}};

  EXPECT_EQ(retries_of(FailureClass::kTimeout, limits), 3);
  EXPECT_EQ(retries_of(FailureClass::kCrash, limits), 0);
  EXPECT_EQ(retries_of(FailureClass::kOutOfMemory, limits), 1);
}

TEST(FailureClasses, OnlyMemoryThatWasShortIsTriedAgainAlone) {
  for (const FailureClass one : kAll) {
    EXPECT_EQ(rule_of(one).retries_alone, one == FailureClass::kOutOfMemory) << to_string(one);
  }
}

}  // namespace
}  // namespace unmask::wire::failure_class_test
