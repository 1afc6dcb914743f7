// Instances by kind and id, each library loaded when it is first needed.

#include "loader/registry.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "abi/wrong_plugins.hpp"
#include "base/files.hpp"
#include "loader/listing.hpp"
#include "unmask/errors.hpp"

namespace unmask::loader::registry_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::wrong_file;
using test::wrong_folder;
using ::testing::HasSubstr;

template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Registry, MakesAnInstance) {
  Registry registry({wrong_folder("fine")});

  EXPECT_NE(registry.create_probe("nothing", json::object()), nullptr);
}

TEST(Registry, LoadsOnlyTheLibraryThatIsNamedAfterThePlugin) {
  const base::TempFolder folder;
  fs::copy_file(wrong_file("crash"), folder.path() / "attack_first.so");
  fs::copy_file(wrong_file("fine"), folder.path() / "probe_nothing.so");
  Registry registry({folder.path()});

  // Loading the other library would end this test program.
  EXPECT_NE(registry.create_probe("nothing", json::object()), nullptr);
}

TEST(Registry, LeavesOptionsOfTheHostAlone) {
  Registry registry({wrong_folder("fine")});

  EXPECT_NE(registry.create_probe("nothing", {{"batch_size", 10}}), nullptr);
}

TEST(Registry, RefusesParametersThatNobodyDeclared) {
  Registry registry({wrong_folder("fine")});

  EXPECT_EQ(message_of([&] {
              registry.create_probe("nothing", {{"sise", 10}});
            }),
            "probe nothing: unknown parameter \"sise\"");
}

TEST(Registry, NamesThePluginThatNobodyOffers) {
  Registry registry({wrong_folder("fine")});

  EXPECT_EQ(message_of([&] { registry.create_attack("pgd", json::object()); }),
            "attack pgd: no plugin library of this host offers it");
}

TEST(Registry, SaysWhyTheLibraryOfAPluginIsRefused) {
  const base::TempFolder folder;
  fs::copy_file(wrong_file("other_epoch"), folder.path() / "probe_nothing.so");
  Registry registry({folder.path()});

  EXPECT_THAT(message_of([&] { registry.create_probe("nothing", json::object()); }),
              HasSubstr("SDK epoch 7 (this host: " + std::to_string(kSdkEpoch) + ")"));
}

TEST(Registry, PutsThePluginsNameInFrontOfItsOwnErrors) {
  Registry registry({wrong_folder("refusing_constructor")});

  EXPECT_EQ(message_of([&] { registry.create_probe("refuser", json::object()); }),
            "probe refuser: steps and size do not fit together");
}

TEST(Registry, KeepsTheTypeOfAPluginsError) {
  Registry registry({wrong_folder("refusing_constructor")});

  EXPECT_THROW(registry.create_probe("refuser", json::object()), ParamError);
}

TEST(Registry, TurnsForeignExceptionsOfAConstructorIntoPluginErrors) {
  Registry registry({wrong_folder("throwing_constructor")});

  EXPECT_EQ(message_of([&] { registry.create_probe("thrower", json::object()); }),
            "probe thrower: its constructor failed: not today");
}

TEST(Discover, AgreesWithTheRegistryAboutARecord) {
  Registry registry({wrong_folder("fine")});

  const catalog::Catalog catalog = discover({wrong_folder("fine")});

  ASSERT_EQ(catalog.plugins.size(), 1U);
  EXPECT_EQ(catalog.plugins[0].fingerprint, registry.record("probe", "nothing").fingerprint);
}

}  // namespace
}  // namespace unmask::loader::registry_test
