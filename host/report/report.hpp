#pragma once
// A report as one HTML file that needs nothing else: no network, no other file, no server.

#include <string>

#include <nlohmann/json.hpp>

namespace unmask::report {

/// The page around `data` (report_data.hpp). Whatever stands in the data, it stays data: the page
/// reads it as JSON and writes it as text, and its security policy lets no other script run.
std::string page_of(const nlohmann::json& data);

}  // namespace unmask::report
