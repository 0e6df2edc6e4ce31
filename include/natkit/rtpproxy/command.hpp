#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/ip.hpp"

/// rtpproxy's control protocol, as far as it is words: a line in, a line out.
namespace natkit::rtpproxy {

enum class Verb : std::uint8_t {
    version,     ///< V
    feature,     ///< VF: whether a part of the protocol is known
    update,      ///< U: a port for what the party with `from` is to be sent by the other; makes the call
    lookup,      ///< L: the same from the other side, in a call that is there
    remove,      ///< D
    query,       ///< Q: counters
    info,        ///< I: totals
    remove_all,  ///< X
};

/// The proxy's words for two sides of a bridge: e and i.
enum class Interface : std::uint8_t { internal, external };

/// "TAG;1"; without a number it stands for all streams of the party.
struct Tag {
    std::string text;
    std::optional<unsigned> stream;  ///< from 1

    friend bool operator==(const Tag&, const Tag&) = default;
};

/// One request. Codecs, a packet time and where to tell of time-outs are read over: they change nothing here.
struct Command {
    Verb verb{};
    std::string call_id;  ///< with ";branch" where the proxy adds that
    Tag from;
    std::optional<Tag> to;

    std::optional<Endpoint> remote;  ///< what the description says; none: on hold, or nothing that is an address
    bool on_hold = false;            ///< 0.0.0.0 or ::
    bool asymmetric = false;         ///< a: never learn; s, the default, is the opposite
    bool weak = false;               ///< w: ends with the party's other weak mark only
    bool new_port = false;           ///< n
    Family family = Family::ipv4;    ///< 6: of `remote`
    std::vector<Interface> interfaces = {};  ///< e and i: the side of `from`, then the other
    std::optional<IpAddress> local;          ///< lADDRESS: the address to give
    std::string local_label = {};            ///< l{LABEL}: the same by its name
    std::optional<IpAddress> facing;         ///< rADDRESS: give the address that has the way to this one

    std::string feature = {};                ///< VF: "20050322"
    bool verbose = false;                    ///< Qv: with names
    std::vector<std::string> counters = {};  ///< Q: by name; empty: the usual five

    friend bool operator==(const Command&, const Command&) = default;
};

/// rtpproxy's numbers.
inline constexpr int unknown_command = 0;
inline constexpr int unknown_session = 50;
inline constexpr int no_ports = 72;
inline constexpr int overloaded = 98;
inline constexpr int shutting_down = 99;

struct Refusal {
    int number = 0;       ///< as rtpproxy gives it: E0, E1, …
    std::string message;  ///< for the log; no proxy is told

    friend bool operator==(const Refusal&, const Refusal&) = default;
};

/// Reads a line without its cookie; white space at its end does not matter. Total and linear.
[[nodiscard]] std::expected<Command, Refusal> parse_command(std::string_view line);

/// Whether a part of the protocol, named by its date, is known: streams by number, counters, codecs, the automatic
/// bridge, new ports. Not resizing of packets, nor word of time-outs.
[[nodiscard]] bool knows_feature(std::string_view date) noexcept;

/// Replies, with the end of line that the proxies look for.
[[nodiscard]] std::string port_reply(const Endpoint& local);  ///< "40000 203.0.113.1", and " 6" after IPv6
[[nodiscard]] std::string number_reply(std::uint64_t number);
[[nodiscard]] std::string error_reply(int number);

}  // namespace natkit::rtpproxy
