#pragma once
// The commands of `unmask`, one file each. Every function gets the arguments behind its name and
// returns the exit code; errors are exceptions, which main() turns into one message.

#include <string>
#include <vector>

namespace unmask::cli {

using Arguments = std::vector<std::string>;

int command_check(const Arguments& arguments);
int command_plan(const Arguments& arguments);
int command_run(const Arguments& arguments);
int command_merge(const Arguments& arguments);
int command_submit(const Arguments& arguments);
int command_status(const Arguments& arguments);
int command_watch(const Arguments& arguments);
int command_verify(const Arguments& arguments);
int command_exec(const Arguments& arguments);
int command_explain(const Arguments& arguments);
int command_import(const Arguments& arguments);
int command_query(const Arguments& arguments);
int command_report(const Arguments& arguments);
int command_compare(const Arguments& arguments);
int command_pivot(const Arguments& arguments);
int command_figure(const Arguments& arguments);
int command_export(const Arguments& arguments);
int command_verdict(const Arguments& arguments);
int command_judge(const Arguments& arguments);
int command_samples(const Arguments& arguments);
int command_plugins(const Arguments& arguments);
int command_schema(const Arguments& arguments);
int command_db(const Arguments& arguments);
int command_doctor(const Arguments& arguments);
int command_help(const Arguments& arguments);
int command_completion(const Arguments& arguments);
int command_man(const Arguments& arguments);

}  // namespace unmask::cli
