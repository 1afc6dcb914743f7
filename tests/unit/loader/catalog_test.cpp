// Assembling a catalog, its way through JSON, and its renderings.

#include "catalog/catalog.hpp"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/describe.hpp"
#include "catalog/param_schema.hpp"
#include "loader/discover.hpp"

namespace unmask::loader::catalog_test {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

catalog::PluginRecord record(const std::string& kind,
                             const std::string& id,
                             const std::string& file,
                             const std::string& fingerprint = "00") {
  catalog::PluginRecord r;
  r.kind = kind;
  r.id = id;
  r.version = "1.0";
  r.summary = "summary of " + id;
  r.file = file;
  r.fingerprint = fingerprint;
  r.file_sha256 = "hash of " + file;
  return r;
}

catalog::PluginRecord described() {
  catalog::PluginRecord r = record("attack", "pgd", "/p/attack_pgd.so");
  r.source = "Madry et al.";
  r.params = {integer("steps", "iterations").by_default(20).at_least(1),
              real("size", "length | of a step").above(0).optional().unit("pixel range"),
              choice("loss", {"ce", "margin"}, "what is increased").by_default("ce"),
              real_list("weights", "one or two").length(1, 2)};
  r.capabilities = {"gradient_free"};
  r.fingerprint = "f00d";
  return r;
}

TEST(AssembleCatalog, SortsByKindAndId) {
  const catalog::Catalog catalog = assemble_catalog(
      {record("probe", "a", "1"), record("solver", "z", "2"), record("solver", "b", "3")}, {});

  EXPECT_EQ(catalog.plugins[0].id, "b");
  EXPECT_EQ(catalog.plugins[1].id, "z");
  EXPECT_EQ(catalog.plugins[2].id, "a");
}

TEST(AssembleCatalog, AllowsOneIdInTwoKinds) {
  EXPECT_EQ(
      assemble_catalog({record("probe", "a", "1"), record("attack", "a", "2")}, {}).plugins.size(),
      2U);
}

TEST(AssembleCatalog, TakesTheFirstThatOffersAnIdAndNotesOthers) {
  const catalog::Catalog catalog = assemble_catalog({record("probe", "a", "/1", "x"),
                                                     record("probe", "a", "/2", "y"),
                                                     record("probe", "a", "/3", "x")},
                                                    {});

  ASSERT_EQ(catalog.plugins.size(), 1U);
  EXPECT_EQ(catalog.plugins[0].file, "/1");
  EXPECT_TRUE(catalog.refusals.empty());
  ASSERT_EQ(catalog.notes.size(), 1U);
  EXPECT_EQ(catalog.notes[0].text,
            "probe a is taken from '/1'; '/2' offers another one, which is not used");
}

// As a registry searches: a worker must not take another library than the host described.
TEST(AssembleCatalog, PrefersALibraryNamedAfterItsPlugin) {
  const catalog::Catalog catalog = assemble_catalog(
      {record("probe", "a", "/mine/copy.so", "x"), record("probe", "a", "/2/probe_a.so", "y")}, {});

  ASSERT_EQ(catalog.plugins.size(), 1U);
  EXPECT_EQ(catalog.plugins[0].file, "/2/probe_a.so");
}

TEST(AssembleCatalog, TakesLibrariesOfOneSourceForOne) {
  const catalog::Catalog catalog =
      assemble_catalog({record("probe", "a", "/z", "x"), record("probe", "a", "/b", "x")}, {});

  ASSERT_EQ(catalog.plugins.size(), 1U);
  EXPECT_EQ(catalog.plugins[0].file, "/z");
  EXPECT_TRUE(catalog.notes.empty());
}

TEST(Catalog, SurvivesItsWayThroughJson) {
  catalog::Catalog catalog;
  catalog.plugins = {described()};
  catalog.refusals = {{"/p/x.so", "is empty"}};
  catalog.notes = {{"attack", "pgd", "two of it"}};
  catalog.cuda_devices = 2;

  const catalog::Catalog again = json::parse(json(catalog).dump()).get<catalog::Catalog>();

  EXPECT_EQ(json(again), json(catalog));
}

TEST(ListText, NamesPluginsAndRefusals) {
  catalog::Catalog catalog;
  catalog.plugins = {described()};
  catalog.refusals = {{"/p/x.so", "is empty"}};

  EXPECT_EQ(list_text(catalog),
            "Attacks\n  pgd  1.0  summary of pgd\n\nRefused\n  '/p/x.so' is empty\n");
}

TEST(ListText, SaysThatThereIsNothing) {
  EXPECT_EQ(list_text(catalog::Catalog{}), "No plugins were found.\n");
}

TEST(ShowText, HoldsParametersAndOptionsOfTheHost) {
  EXPECT_THAT(show_text(described()),
              AllOf(HasSubstr("steps    integer, default 20, 1 <= x\n"),
                    HasSubstr("size     real, optional, 0 < x, in pixel range\n"),
                    HasSubstr("loss     choice, default \"ce\", one of ce, margin\n"),
                    HasSubstr("weights  list of reals, required, 1 to 2 entries\n"),
                    HasSubstr("options of the host for this attack\n  batch_size")));
}

TEST(MarkdownReference, EscapesWhatWouldEndACell) {
  catalog::Catalog catalog;
  catalog.plugins = {described()};

  EXPECT_THAT(
      markdown_reference(catalog),
      HasSubstr("| `size` | real | left out | 0 < x | pixel range | length \\| of a step |\n"));
}

TEST(MarkdownReference, HoldsNothingOfThisMachine) {
  catalog::Catalog catalog;
  catalog.plugins = {described()};

  EXPECT_THAT(markdown_reference(catalog), AllOf(Not(HasSubstr("/p/")), Not(HasSubstr("f00d"))));
}

TEST(ParamsSchema, DeclaresTypesRangesAndRequiredNames) {
  const json schema = params_schema(described());

  EXPECT_EQ(schema["properties"]["steps"],
            json({{"type", "integer"},
                  {"minimum", 1.0},
                  {"maximum", 9007199254740991},  // 2^53 - 1, the largest that a manifest can hold
                  {"default", 20},
                  {"description", "iterations"}}));
  EXPECT_EQ(schema["properties"]["loss"]["enum"], json({"ce", "margin"}));
  EXPECT_EQ(schema["properties"]["size"]["anyOf"][0]["exclusiveMinimum"], 0.0);
  EXPECT_EQ(schema["required"], json::array({"weights"}));
  EXPECT_EQ(schema["additionalProperties"], false);
}

TEST(ParamsSchema, KnowsTheOptionsOfTheHost) {
  EXPECT_TRUE(params_schema(described())["properties"].contains("batch_size"));
}

}  // namespace
}  // namespace unmask::loader::catalog_test
