#pragma once
// What an editor says: documents against a JSON Schema, with Valijson.

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <nlohmann/json.hpp>

namespace unmask::test {

/// A JSON Schema of draft 7, ready for any number of documents.
class JsonSchema {
 public:
  explicit JsonSchema(nlohmann::json text) : text_(std::move(text)) {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(text_), schema_);
  }

  /// What speaks against a document; "" when it fits. Types are strict: "20" is no number.
  std::string complaint(const nlohmann::json& document) const {
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    valijson::ValidationResults results;
    if (validator.validate(schema_, valijson::adapters::NlohmannJsonAdapter(document), &results)) {
      return "";
    }
    std::string said = "refused";
    valijson::ValidationResults::Error error;
    while (results.popError(error)) {
      std::string where;
      for (const std::string& step : error.context) where += step;
      said += "\n  " + where + ": " + error.description;
    }
    return said;
  }

 private:
  nlohmann::json text_;
  valijson::Schema schema_;
};

/// A manifest as an editor reads it: JSON with comments. nullopt: it is none.
inline std::optional<nlohmann::json> read_json(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  nlohmann::json document =
      nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false, /*ignore_comments=*/true);
  if (document.is_discarded()) return std::nullopt;
  return document;
}

}  // namespace unmask::test
