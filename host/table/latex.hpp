#pragma once
// Tables for papers: the booktabs layout of LaTeX.

#include <ostream>
#include <string>
#include <string_view>

#include "table/table.hpp"

namespace unmask::table {

/// Text that pdfLaTeX prints as it stands: specials are escaped, characters that commands or the start
/// of a row would read otherwise are protected, Greek letters and common signs become their commands,
/// Latin letters stay UTF-8 (they need the T1 encoding), every other character is written out as
/// [U+4E2D], every byte that is not UTF-8 as [byte FF].
std::string latex_text(std::string_view text);

/// See Format::kLatex.
void print_latex(std::ostream& out, const Table& table, const Style& style);

}  // namespace unmask::table
