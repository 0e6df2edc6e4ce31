#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/diagnose/case.hpp"
#include "natkit/diagnose/diagnose.hpp"
#include "natkit/engine/explain/html/markup.hpp"

/// The messages of a call between its hosts, as a picture and as a table.
namespace natkit::html {

/// A column: a host, or an endpoint where several programs on one host speak with each other.
struct LadderHost {
    std::string role;  ///< "caller"; empty: not known
    std::string name;  ///< address, or address and port
};

/// A message with its repetitions, or a stream of RTP.
struct LadderRow {
    enum class Kind : std::uint8_t { request, provisional, success, failure, media };
    Kind kind{};
    std::int64_t time_ns = 0, last_ns = 0;
    std::uint64_t frame = 0;
    std::size_t from = 0, to = 0;  ///< columns
    std::string what;              ///< "INVITE", "486 Busy Here"
    std::string detail;            ///< "audio 203.0.113.9:4000 sendonly"; empty where there is nothing to say
    unsigned copies = 1;
    bool lost = false;      ///< nothing tells that it came there
    std::string why = {};   ///< it was lost: "no answer", "ICMP: port unreachable"
    bool evidence = false;  ///< a finding rests on it
};

struct Ladder {
    std::vector<LadderHost> hosts;  ///< at most 9, the caller first, the callee last
    std::vector<LadderRow> rows;    ///< at most 200, in the order of time
    std::size_t left_out = 0;       ///< rows that are not there
};

[[nodiscard]] Ladder ladder_of(const diagnose::Case& one, const diagnose::Diagnosis& diagnosis);

/// `id`: of the call, for what names the picture. `start_ns`: of the call.
[[nodiscard]] Markup ladder_picture(const Ladder& ladder, std::string_view id, std::int64_t start_ns);
[[nodiscard]] Markup ladder_table(const Ladder& ladder, std::int64_t start_ns);

}  // namespace natkit::html
