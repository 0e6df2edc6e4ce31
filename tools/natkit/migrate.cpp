#include "migrate.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "commands.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

using Json = nlohmann::ordered_json;
using migrate::Finding;
using migrate::Verdict;

constexpr std::size_t largest_file = std::size_t{16} << 20;
constexpr std::array verdicts{Verdict::works,   Verdict::depends, Verdict::ignored,
                              Verdict::refused, Verdict::unknown, Verdict::change};

std::size_t count(const std::vector<Finding>& findings, Verdict verdict) {
    return static_cast<std::size_t>(std::ranges::count(findings, verdict, &Finding::verdict));
}

std::string line_of(const Json& record) {
    return record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_records(const std::string& file, const std::vector<Finding>& findings, tool::Output& output) {
    for (const Finding& finding : findings) {
        output.write(line_of({{"type", "migration"},
                              {"file", file},
                              {"line", finding.line},
                              {"column", finding.column},
                              {"verdict", to_string(finding.verdict)},
                              {"subject", finding.subject},
                              {"message", finding.message}}));
    }
    Json summary{{"type", "migration_summary"}, {"file", file}};
    for (const Verdict verdict : verdicts) summary[to_string(verdict)] = count(findings, verdict);
    output.write(line_of(summary));
}

void write_text(const std::string& file, const std::vector<Finding>& findings, tool::Output& output) {
    for (const Finding& finding : findings) {
        output.write(file + ":" + std::to_string(finding.line) + ":" + std::to_string(finding.column) + ": " +
                     to_string(finding.verdict) + ": " + finding.message + "\n");
    }
    std::string counts;
    for (const Verdict verdict : verdicts) {
        const std::size_t number = count(findings, verdict);
        if (number > 0) counts += (counts.empty() ? "" : ", ") + std::to_string(number) + " " + to_string(verdict);
    }
    const char* advice = "nothing in it is refused";
    if (count(findings, Verdict::refused) > 0) advice = "what is refused fails until it is changed";
    if (counts.empty()) {
        counts = "no call of the modules rtpengine and rtpproxy";
        advice = "is it the right file?";
    }
    output.write(file + ": " + counts + "; " + advice + "\n");
}

}  // namespace

tool::Exit check_proxy(const tool::CommonOptions& common, const std::string& file, migrate::Proxy proxy) {
    const auto text = tool::read_all(file, largest_file);
    if (!text) {
        tool::complain(program, text.error());
        return tool::Exit::usage;
    }
    const std::vector<Finding> findings = migrate::examine(*text, proxy);
    const std::string name = file == "-" ? "stdin" : file;
    tool::Output output(program);
    if (tool::wants_json(common.format)) {
        write_records(name, findings, output);
    } else {
        write_text(name, findings, output);
    }
    return count(findings, Verdict::refused) > 0 ? tool::Exit::bad_record : tool::Exit::fine;
}

}  // namespace natkit_tool
