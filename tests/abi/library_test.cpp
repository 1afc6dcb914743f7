// Each wrong library gets its own sentence, as a PluginError with exit code 4.

#include "loader/library.hpp"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "abi/wrong_plugins.hpp"
#include "base/files.hpp"
#include "loader/build_tag.hpp"
#include "unmask/errors.hpp"

namespace unmask::loader::library_test {
namespace {

namespace fs = std::filesystem;
using test::wrong_file;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kRebuild =
    "; rebuild it with this host's compiler and LibTorch against this unmask";

// Why the loader refuses a file; "" when it does not.
std::string refusal(const fs::path& file) {
  std::string reason;
  return PluginLibrary::try_open(file, reason) ? "" : reason;
}

std::string refusal_of(const std::string& name) {
  EXPECT_TRUE(fs::exists(wrong_file(name))) << wrong_file(name);
  return refusal(wrong_file(name));
}

// A file made for one test.
class LibraryFile : public ::testing::Test {
 protected:
  fs::path write(const std::string& bytes) {
    const fs::path file = folder_.path() / "plugin.so";
    base::write_file_atomically(file, bytes);
    return file;
  }

  base::TempFolder folder_;
};

TEST(PluginLibrary, AcceptsAPluginWhoseHeaderFits) {
  const PluginLibrary library = PluginLibrary::open(wrong_file("fine"));

  EXPECT_EQ(library.record().id, "nothing");
}

TEST(PluginLibrary, RecordsWhatAPluginSaysOfItself) {
  const catalog::PluginRecord record = PluginLibrary::open(wrong_file("fine")).record();

  EXPECT_EQ(record.kind, "probe");
  EXPECT_EQ(record.version, "1.0");
  EXPECT_EQ(record.summary, "measures nothing");
  EXPECT_EQ(record.file, wrong_file("fine"));
  EXPECT_EQ(record.build_tag, host_build_tag());
  EXPECT_EQ(record.file_sha256.size(), 64U);
}

TEST(PluginLibrary, ARefusalIsAPluginErrorWithExitCodeFour) {
  try {
    PluginLibrary::open(wrong_file("no_tag"));
    FAIL() << "it was accepted";
  } catch (const PluginError& error) {
    EXPECT_EQ(static_cast<int>(error.code()), 4);
    EXPECT_THAT(error.what(), HasSubstr("no_tag.so' carries no build tag of unmask"));
  }
}

TEST(PluginLibrary, NamesTheLineThatAPluginForgot) {
  EXPECT_EQ(refusal_of("no_macro"),
            "is built with unmask's SDK but offers no plugin; end its source with "
            "UNMASK_PLUGIN(Class), which also puts the build tag into it");
}

TEST(PluginLibrary, RefusesALibraryWithoutATag) {
  EXPECT_EQ(refusal_of("no_tag"),
            "carries no build tag of unmask, so it is not a plugin; build plugins with "
            "unmask_add_plugin() and keep other libraries out of plugin folders");
}

TEST(PluginLibrary, RefusesALibraryWithTwoTags) {
  EXPECT_THAT(refusal_of("two_tags"),
              AllOf(StartsWith("carries 2 different build tags"), HasSubstr("compiler=gcc-4")));
}

TEST(PluginLibrary, RefusesAnotherEpoch) {
  EXPECT_EQ(refusal_of("other_epoch"),
            "was built for another host: SDK epoch 7 (this host: " + std::to_string(kSdkEpoch) +
                ")" + std::string(kRebuild));
}

TEST(PluginLibrary, RefusesANewerSdkThanItsOwn) {
  EXPECT_THAT(refusal_of("other_minor"), HasSubstr("SDK minor version 9 (this host: at most 0)"));
}

TEST(PluginLibrary, RefusesAnotherCompilerBeforeLoading) {
  EXPECT_THAT(refusal_of("other_compiler"),
              AllOf(StartsWith("was built for another host: compiler gcc-5 (this host: "),
                    EndsWith(kRebuild),
                    Not(HasSubstr("LibTorch 1")),
                    Not(HasSubstr("epoch"))));
}

TEST(PluginLibrary, NamesEveryFieldInWhichATagDiffers) {
  EXPECT_THAT(refusal_of("other_tag"),
              AllOf(HasSubstr("SDK epoch 5 (this host: " + std::to_string(kSdkEpoch) + ")"),
                    HasSubstr("compiler clang-1 (this host: "),
                    HasSubstr("C++11 ABI 7 (this host: "),
                    HasSubstr("LibTorch 0.4.1 (this host: ")));
}

TEST(PluginLibrary, RefusesAnotherLibTorch) {
  EXPECT_THAT(refusal_of("other_libtorch"),
              StartsWith("was built for another host: LibTorch 0.4.1 (this host: "));
}

TEST(PluginLibrary, RefusesASymbolThatIsNoHeader) {
  EXPECT_EQ(refusal_of("wrong_magic"),
            "exports a symbol unmask_plugin that is not a plugin header; end its source with "
            "UNMASK_PLUGIN(Class)");
}

TEST(PluginLibrary, RefusesAHeaderOfAnotherSize) {
  EXPECT_EQ(refusal_of("wrong_header_size"),
            "was built for another host: header size 8 (this host: " +
                std::to_string(sizeof(PluginHeader)) + ")" + kRebuild);
}

TEST(PluginLibrary, RefusesTensorsOfAnotherSize) {
  EXPECT_THAT(refusal_of("wrong_tensor_size"),
              StartsWith("was built for another host: size of TensorImpl 8 (this host: "));
}

TEST(PluginLibrary, RefusesADescriptorOfAnotherSize) {
  EXPECT_THAT(refusal_of("wrong_descriptor_size"),
              StartsWith("was built for another host: descriptor size 16 (this host: "));
}

TEST(PluginLibrary, NamesEveryFieldInWhichAHeaderDiffers) {
  EXPECT_THAT(
      refusal_of("many_differences"),
      AllOf(HasSubstr("SDK epoch 7"), HasSubstr("LibTorch 0.4.1"), HasSubstr("TensorImpl 8")));
}

TEST(PluginLibrary, RefusesALibraryWithoutTheSymbol) {
  EXPECT_EQ(refusal_of("missing_symbol"),
            "exports no symbol unmask_plugin; end the plugin's source with UNMASK_PLUGIN(Class)");
}

TEST(PluginLibrary, RefusesADefaultOutsideItsRange) {
  EXPECT_EQ(refusal_of("default_out_of_range"),
            "declares its parameters wrongly: default 0 of parameter \"steps\" must be at least 1");
}

TEST(PluginLibrary, RefusesABoundThatIsNotFinite) {
  EXPECT_EQ(refusal_of("bound_not_finite"),
            "declares its parameters wrongly: a bound of parameter \"size\" is not finite");
}

TEST(PluginLibrary, RefusesAParameterNamedLikeAnOptionOfTheHost) {
  EXPECT_EQ(refusal_of("host_option"),
            "declares its parameters wrongly: \"batch_size\" is an option that the host gives "
            "every probe like this one; give the parameter another name");
}

TEST(PluginLibrary, RefusesAnUnknownKind) {
  EXPECT_EQ(refusal_of("unknown_kind"),
            "is of the unknown kind \"wizard\"; the kinds are solver, model, attack, dataset, "
            "objective, probe");
}

TEST(PluginLibrary, RefusesAnIdThatIsNotLowerSnakeCase) {
  EXPECT_THAT(refusal_of("wrong_id"),
              StartsWith("has the id \"Nothing-2\"; an id is lower_snake_case"));
}

TEST(PluginLibrary, RefusesAFingerprintThatIsNone) {
  EXPECT_EQ(refusal_of("wrong_fingerprint"),
            "has the fingerprint \"todo\" instead of 64 hexadecimal digits; build it with "
            "unmask_add_plugin()");
}

TEST(PluginLibrary, RefusesAPluginWithoutASummary) {
  EXPECT_EQ(refusal_of("no_summary"),
            "does not describe itself: its info() leaves the summary empty");
}

TEST(PluginLibrary, RefusesAPluginThatCannotDescribeItself) {
  EXPECT_EQ(refusal_of("throwing_info"),
            "cannot describe itself: its info() failed: no idea who I am");
}

TEST(PluginLibrary, NamesTheSymbolThatALibraryLacks) {
  EXPECT_THAT(refusal_of("undefined_symbol"),
              AllOf(StartsWith("cannot be loaded: "), HasSubstr("function_that_nobody_has")));
}

TEST_F(LibraryFile, RefusesAnEmptyFile) {
  EXPECT_EQ(refusal(write("")), "is empty; build or copy it again");
}

TEST_F(LibraryFile, RefusesATextFile) {
  EXPECT_EQ(refusal(write("#!/bin/sh\necho plugin\n")),
            "is not a shared library: it does not start as an ELF file does");
}

TEST_F(LibraryFile, SaysWhatAForeignFileIs) {
  EXPECT_THAT(refusal(write("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n")),
              StartsWith("is not a shared library but a Git LFS pointer"));
}

TEST_F(LibraryFile, RefusesATruncatedLibraryBeforeLoading) {
  const std::string whole = base::read_file(wrong_file("fine"));

  const std::string reason = refusal(write(whole.substr(0, whole.size() / 2)));

  EXPECT_THAT(reason,
              AllOf(StartsWith("is truncated: its headers speak of "),
                    HasSubstr("it has " + std::to_string(whole.size() / 2))));
}

TEST_F(LibraryFile, RefusesALibraryCutInsideItsFirstHeader) {
  const std::string whole = base::read_file(wrong_file("fine"));

  EXPECT_THAT(refusal(write(whole.substr(0, 20))), StartsWith("is truncated"));
}

TEST_F(LibraryFile, RefusesALibraryForAnotherProcessor) {
  std::string bytes = base::read_file(wrong_file("fine"));
  bytes[18] = '\x14';  // e_machine: 32-bit PowerPC

  EXPECT_EQ(refusal(write(bytes)),
            "was built for another kind of processor; rebuild it on this machine");
}

TEST_F(LibraryFile, RefusesAFileThatCannotBeRead) {
  const fs::path file = folder_.path() / "plugin.so";
  fs::create_symlink(folder_.path() / "nowhere", file);

  EXPECT_EQ(refusal(file), "cannot be read: No such file or directory");
}

TEST_F(LibraryFile, RefusesWhatIsNoRegularFile) {
  EXPECT_EQ(refusal(fs::path("/dev/null")), "cannot be read: it is not a regular file");
}

TEST(HostBuildTag, IsNotFoundInTheHostsOwnFile) {
  const std::string program = base::read_file(fs::read_symlink("/proc/self/exe"));

  EXPECT_THAT(find_build_tags(program), Not(::testing::Contains(host_build_tag())));
}

TEST(HostBuildTag, IsWhatAPluginOfThisBuildCarries) {
  const std::string plugin = base::read_file(wrong_file("fine"));

  EXPECT_THAT(find_build_tags(plugin), ::testing::ElementsAre(host_build_tag()));
}

}  // namespace
}  // namespace unmask::loader::library_test
