#include "engine/safetensors.hpp"

#include <sys/wait.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::safetensors_test {
namespace {

using testing::HasSubstr;

// A file made by hand: length, header, data.
std::string file_of(const std::string& header, const std::string& data = {}) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

// The message with which parsing fails, or "" when it does not.
std::string refusal(const std::string& bytes) {
  try {
    parse_safetensors(bytes, "some.safetensors");
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

std::vector<NamedTensor> one_of_each_dtype() {
  std::vector<NamedTensor> tensors;
  for (const at::ScalarType type : {at::kByte,
                                    at::kFloat,
                                    at::kDouble,
                                    at::kHalf,
                                    at::kBFloat16,
                                    at::kLong,
                                    at::kInt,
                                    at::kBool}) {
    tensors.push_back({c10::toString(type), torch::tensor({1.0, 0.0, 3.0}).to(type)});
  }
  return tensors;
}

TEST(Safetensors, KeepsValuesAndOrderOfEveryDtype) {
  const std::vector<NamedTensor> tensors = one_of_each_dtype();

  const TensorFile file = parse_safetensors(safetensors_bytes(tensors), "memory");

  ASSERT_EQ(file.tensors.size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(file.tensors[i].name, tensors[i].name);
    EXPECT_EQ(file.tensors[i].tensor.scalar_type(), tensors[i].tensor.scalar_type());
    EXPECT_TRUE(torch::equal(file.tensors[i].tensor, tensors[i].tensor)) << tensors[i].name;
  }
}

TEST(Safetensors, KeepsScalarsEmptyTensorsAndViews) {
  const Tensor matrix = torch::arange(6, at::kFloat).view({2, 3});
  const std::vector<NamedTensor> tensors = {
      {"scalar", torch::tensor(2.5)}, {"empty", torch::empty({0, 4})}, {"view", matrix.t()}};

  const TensorFile file = parse_safetensors(safetensors_bytes(tensors), "memory");

  EXPECT_EQ(file.find("scalar")->dim(), 0);
  EXPECT_EQ(file.find("scalar")->item<float>(), 2.5F);
  EXPECT_EQ(file.find("empty")->sizes(), (std::vector<std::int64_t>{0, 4}));
  EXPECT_TRUE(torch::equal(*file.find("view"), matrix.t()));
}

TEST(Safetensors, KeepsMetadata) {
  const std::map<std::string, std::string> metadata = {{"a", "1"}, {"line", "x\n\"y\" \xC3\xA9"}};

  const TensorFile file = parse_safetensors(safetensors_bytes({}, metadata), "memory");

  EXPECT_EQ(file.metadata, metadata);
}

TEST(Safetensors, FindGivesNullForAnUnknownName) {
  EXPECT_EQ(TensorFile{}.find("x"), nullptr);
}

TEST(Safetensors, EqualInputGivesEqualBytes) {
  EXPECT_EQ(safetensors_bytes(one_of_each_dtype(), {{"k", "v"}}),
            safetensors_bytes(one_of_each_dtype(), {{"k", "v"}}));
}

TEST(Safetensors, ReadingAndWritingAgainGivesTheSameBytes) {
  const std::string bytes = safetensors_bytes(one_of_each_dtype(), {{"k", "v"}});

  const TensorFile file = parse_safetensors(bytes, "memory");

  EXPECT_EQ(safetensors_bytes(file.tensors, file.metadata), bytes);
}

TEST(Safetensors, WritesTheDocumentedBytes) {
  const std::string bytes = safetensors_bytes({{"w", torch::tensor({1.0F})}}, {{"k", "v"}});

  // 1.0 is 0x3F800000.
  const std::string header =
      R"({"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  std::string padded = header;
  while (padded.size() % 8 != 0) padded += ' ';
  EXPECT_EQ(bytes, file_of(padded, std::string("\x00\x00\x80\x3F", 4)));
}

TEST(Safetensors, AlignsEveryTensorToItsElements) {
  const std::string bytes = safetensors_bytes(
      {{"byte", torch::zeros({3}, at::kByte)}, {"double", torch::ones({1}, at::kDouble)}});

  // The double comes first in the data although it comes second in the header.
  EXPECT_THAT(bytes, HasSubstr(R"("byte":{"dtype":"U8","shape":[3],"data_offsets":[8,11]})"));
  EXPECT_THAT(bytes, HasSubstr(R"("double":{"dtype":"F64","shape":[1],"data_offsets":[0,8]})"));
}

TEST(Safetensors, WritesAFileThatCanBeRead) {
  const base::TempFolder folder;
  const auto path = folder.path() / "deep" / "x.safetensors";

  write_safetensors(path, {{"w", torch::ones({2})}}, {{"k", "v"}});

  EXPECT_TRUE(torch::equal(*read_safetensors(path).find("w"), torch::ones({2})));
}

TEST(TensorFileReader, ReadsOneTensorAfterTheHeader) {
  const base::TempFolder folder;
  const auto path = folder.path() / "x.safetensors";
  write_safetensors(path, {{"a", torch::ones({3})}, {"b", torch::arange(4)}}, {{"k", "v"}});

  const TensorFileReader reader(path);

  ASSERT_NE(reader.find("b"), nullptr);
  EXPECT_EQ(reader.find("c"), nullptr);
  EXPECT_EQ(reader.find("b")->shape, std::vector<std::int64_t>{4});
  EXPECT_EQ(reader.find("b")->dtype, torch::kLong);
  EXPECT_TRUE(torch::equal(reader.read(*reader.find("b")), torch::arange(4)));
  EXPECT_EQ(reader.metadata().at("k"), "v");
}

TEST(TensorFileReader, RefusesATruncatedFileBeforeReadingTensors) {
  const base::TempFolder folder;
  const auto path = folder.path() / "x.safetensors";
  write_safetensors(path, {{"a", torch::ones({3})}});
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);

  EXPECT_THROW(TensorFileReader{path}, DataError);
}

TEST(TensorFileReader, RefusesAFolder) {
  const base::TempFolder folder;

  EXPECT_THROW(TensorFileReader{folder.path()}, DataError);
}

TEST(Safetensors, RefusesToWriteANameTwice) {
  EXPECT_THROW(safetensors_bytes({{"w", torch::ones({1})}, {"w", torch::ones({1})}}), DataError);
}

TEST(Safetensors, RefusesToWriteTheReservedName) {
  EXPECT_THROW(safetensors_bytes({{"__metadata__", torch::ones({1})}}), DataError);
}

TEST(Safetensors, RefusesToWriteAnUnknownDtype) {
  EXPECT_THROW(safetensors_bytes({{"w", torch::ones({1}, at::kComplexFloat)}}), DataError);
}

TEST(Safetensors, RefusesToWriteANameThatIsNotUtf8) {
  EXPECT_THROW(safetensors_bytes({{"\xFF", torch::ones({1})}}), DataError);
}

TEST(Safetensors, MissingFileIsADataErrorThatNamesIt) {
  const base::TempFolder folder;
  try {
    read_safetensors(folder.path() / "absent.safetensors");
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("absent.safetensors"));
  }
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string bytes = safetensors_bytes(one_of_each_dtype(), {{"k", "v"}});

  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_NE(refusal(bytes.substr(0, length)), "") << length << " of " << bytes.size() << " bytes";
  }
}

TEST(Safetensors, NoDamagedByteOfTheHeaderCrashes) {
  const std::string good = safetensors_bytes({{"w", torch::ones({2})}, {"v", torch::ones({1})}});

  for (std::size_t i = 0; i < good.size() - 12; ++i) {
    for (const char damage : {'\0', '\xFF', '"', '9', '{', '-'}) {
      std::string bytes = good;
      bytes[i] = damage;
      refusal(bytes);  // some still parse, as a changed name does; anything but DataError fails the
                       // test
    }
  }
}

TEST(Safetensors, SaysWhatAForeignFileIs) {
  const std::string zeros(100, '\0');
  const std::vector<std::pair<std::string, const char*>> files = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
       "it is a Git LFS pointer"},
      {"<!DOCTYPE html><html><body>404 not found</body></html>", "it is an HTML page"},
      {"\n <HTML><body>", "it is an HTML page"},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "it is an XML document"},
      {"PK\x03\x04" + zeros, "it is a zip archive, as torch.save and torch.jit.save write"},
      {"\x80\x04\x95" + zeros, "it is a Python pickle"},
      {"\x80\x02}q" + zeros, "it is a Python pickle"},
      {"\x1f\x8b\x08" + std::string(5, '\0') + std::string(700000, 'x'), "it is a gzip archive"},
      {"\x93NUMPY\x01" + zeros, "it is a NumPy array"},
      {R"({"metadata":{},"weight_map":{"a":"model-00001-of-00002.safetensors"}})",
       "it is the index of weights that are split"},
      {"", "it is an empty file"},
  };

  for (const auto& [bytes, kind] : files) {
    EXPECT_THAT(refusal(bytes), HasSubstr(kind)) << bytes.substr(0, 20);
    const base::TempFolder folder;
    base::write_file_atomically(folder.path() / "x", bytes);
    try {
      TensorFileReader reader(folder.path() / "x");
      ADD_FAILURE() << "it was read: " << bytes.substr(0, 20);
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(kind));
    }
  }
}

TEST(Safetensors, MessagesNameTheFile) {
  EXPECT_THAT(refusal("x"), HasSubstr("some.safetensors"));
}

struct Malformed {
  const char* name;
  std::string bytes;
  const char* message;
};

std::string entry(const std::string& fields, const std::string& data = {}) {
  return file_of("{\"w\":{" + fields + "}}", data);
}

std::vector<Malformed> corpus() {
  const std::string four(4, '\0');
  const std::string eight(8, '\0');
  const std::string good = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
  std::string huge_length = file_of("{}");
  huge_length[7] = '\x7F';
  const std::string nested = "{\"w\":" + std::string(100000, '[') + "}";
  return {
      {"Empty", "", "empty file"},
      {"SevenBytes", "1234567", "fewer than the 8"},
      {"HeaderBeyondTheFile", file_of("{}").substr(0, 9), "but only 1 follow"},
      {"HugeHeader", huge_length, "at most 100000000 are allowed"},
      {"EmptyHeader", file_of(""), "does not start with"},
      {"Array", file_of("[]"), "does not start with"},
      {"NotJson", file_of("{\"w\":"), "not JSON: a syntax error at byte 6"},
      {"JunkAfterJson", file_of("{} x"), "not JSON: a syntax error at byte 4"},
      {"NotUtf8", file_of("{\"\xFF\":{}}"), "not JSON: text that is not UTF-8 at byte 3"},
      {"Latin1", file_of("{\"caf\xE9\":{}}"), "not JSON: text that is not UTF-8 at byte 7"},
      {"FilledWithZeros", file_of(std::string("{}\0\0", 4)), "byte 2 of its header is 0"},
      {"JunkAfterZero", file_of(std::string("{}\0x", 4)), "byte 2 of its header is 0"},
      {"DeepNesting", file_of(nested), "not JSON"},
      {"DuplicateTensor",
       file_of("{\"w\":{" + good + "},\"w\":{" + good + "}}", four),
       "\"w\" twice"},
      {"DuplicateField", entry(good + ",\"shape\":[1]", four), "\"shape\" twice"},
      {"DuplicateMetadata", file_of(R"({"__metadata__":{"k":"1","k":"2"}})"), "\"k\" twice"},
      {"MetadataIsAList", file_of(R"({"__metadata__":[]})"), "object of strings"},
      {"MetadataHoldsANumber", file_of(R"({"__metadata__":{"k":1}})"), "strings only"},
      {"EntryIsANumber", file_of(R"({"w":1})"), "must be an object"},
      {"UnknownField", entry(good + ",\"x\":1", four), "unknown field \"x\""},
      {"NoDtype", entry(R"("shape":[1],"data_offsets":[0,4])", four), "\"dtype\" is missing"},
      {"NoShape", entry(R"("dtype":"F32","data_offsets":[0,4])", four), "\"shape\" is missing"},
      {"NoOffsets", entry(R"("dtype":"F32","shape":[1])", four), "\"data_offsets\" is missing"},
      {"DtypeIsANumber",
       entry(R"("dtype":4,"shape":[1],"data_offsets":[0,4])", four),
       "dtype must be a string"},
      {"UnknownDtype",
       entry(R"("dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4])", four),
       "dtype \"F8_E4M3\" is not one of"},
      {"ShapeIsANumber",
       entry(R"("dtype":"F32","shape":1,"data_offsets":[0,4])", four),
       "list of sizes"},
      {"NegativeSize", entry(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])", four), "-1"},
      {"FractionalSize", entry(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])", four), "1.0"},
      {"SizeBeyond63Bits",
       entry(R"("dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4])", four),
       "2^63 - 1"},
      {"ProductOverflows",
       entry(R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0])"),
       "63 bits"},
      {"ElementSizeOverflows",
       entry(R"("dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0])"),
       "63 bits"},
      {"OneOffset",
       entry(R"("dtype":"F32","shape":[1],"data_offsets":[4])", four),
       "start and end"},
      {"NegativeOffset",
       entry(R"("dtype":"F32","shape":[1],"data_offsets":[-4,0])", four),
       "start and end"},
      {"OffsetsBackwards",
       entry(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])", four),
       "end before they start"},
      {"OffsetsPastTheEnd",
       entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", four),
       "past the end"},
      {"ShapeNeedsMore",
       entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])", four),
       "needs 8"},
      {"ShapeNeedsLess",
       entry(R"("dtype":"F32","shape":[1],"data_offsets":[0,8])", eight),
       "needs 4"},
      {"ShapeHoldsNothing",
       entry(R"("dtype":"F32","shape":[0],"data_offsets":[0,4])", four),
       "needs 0"},
      {"Overlap",
       file_of(R"({"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
               R"("w":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
               std::string(6, '\0')),
       "overlap"},
      {"SameBytesTwice",
       file_of(R"({"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
               R"("w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
               four),
       "overlap"},
      {"HoleAtTheStart",
       entry(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])", eight),
       "bytes 0 to 4 before it belong to no tensor"},
      {"HoleBetween",
       file_of(R"({"v":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
               R"("w":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})",
               four),
       "bytes 1 to 3 before it belong to no tensor"},
      {"BytesAtTheEnd", entry(good, eight), "the last 4 bytes"},
      {"DataWithoutTensors", file_of("{}", four), "the last 4 bytes"},
      {"BoolOfTwo", entry(R"("dtype":"BOOL","shape":[1],"data_offsets":[0,1])", "\x02"), "0 or 1"},
  };
}

class SafetensorsCorpus : public testing::TestWithParam<Malformed> {};

INSTANTIATE_TEST_SUITE_P(Malformed,
                         SafetensorsCorpus,
                         testing::ValuesIn(corpus()),
                         [](const auto& test_info) { return std::string(test_info.param.name); });

TEST_P(SafetensorsCorpus, IsRefusedWithItsReason) {
  EXPECT_THAT(refusal(GetParam().bytes), HasSubstr(GetParam().message));
}

// Reads a file by the published rules of the format, with Python's standard library alone, and
// prints it.
constexpr const char* kPythonReader = R"(
import json, struct, sys
raw = open(sys.argv[1], 'rb').read()
length, = struct.unpack('<Q', raw[:8])
assert length % 8 == 0 and 8 + length <= len(raw)
header = json.loads(raw[8:8 + length].decode('utf-8'))
metadata = header.pop('__metadata__')
assert metadata == {'k': 'v'}, metadata
data, end = raw[8 + length:], 0
codes = {'F64': 'd', 'F32': 'f', 'F16': 'e', 'I64': 'q', 'I32': 'i', 'U8': 'B', 'BOOL': '?', 'BF16': 'H'}
for name, entry in sorted(header.items(), key=lambda item: item[1]['data_offsets']):
    start, stop = entry['data_offsets']
    assert start == end
    end = stop
    assert entry['shape'] == [3]
    values = struct.unpack('<3' + codes[entry['dtype']], data[start:stop])
    if entry['dtype'] == 'BF16':
        values = [struct.unpack('<f', struct.pack('<I', bits << 16))[0] for bits in values]
    expected = [1, 0, 1] if entry['dtype'] == 'BOOL' else [1, 0, 3]
    assert list(values) == expected, (name, values)
assert end == len(data) and len(header) == 8
)";

TEST(Safetensors, PythonReadsWhatWeWrite) {
  if (std::system("python3 -c 'import json, struct' >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "python3 is not installed";
  }
  const base::TempFolder folder;
  write_safetensors(folder.path() / "x.safetensors", one_of_each_dtype(), {{"k", "v"}});
  std::ofstream(folder.path() / "read.py") << kPythonReader;

  const std::string command = "python3 '" + (folder.path() / "read.py").string() + "' '" +
                              (folder.path() / "x.safetensors").string() + "'";
  const int status = std::system(command.c_str());

  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace unmask::engine::safetensors_test
