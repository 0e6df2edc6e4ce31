#pragma once

#include <optional>
#include <string>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/nat/networks.hpp"
#include "natkit/record/nat.hpp"
#include "natkit/sdp/body.hpp"
#include "natkit/sdp/document.hpp"
#include "natkit/sip/message/grammar.hpp"
#include "natkit/sip/message/message.hpp"

/// What can be told from messages that somebody else sent, after the fact: the engine of the offline programs.
namespace natkit::explain {

/// How a message reached the place where it was seen.
struct Arrival {
    std::string transport = "udp";  ///< "udp", "tcp", "tls", "sctp"
    Endpoint source;
    std::optional<Endpoint> destination = std::nullopt;
    bool cut = false;  ///< the capture has less of it than was sent
    /// What the sender wrote into the Via of its own requests from the same source. A response has no such Via.
    std::optional<IpAddress> own_via = std::nullopt;
};

/// What a message says about the two ends, read once and leniently: of a Via or Contact that breaks the grammar, the
/// host and port that can be made out. What cannot be read is absent.
struct MessageFacts {
    std::optional<sip::Via> via;  ///< topmost
    unsigned via_count = 0;
    /// Who made the request is behind a NAT: its own Via names a private address, and the proxy nearest to it wrote
    /// that it came from another one (received, RFC 3581).
    bool maker_behind_nat = false;
    /// Who wrote the message calls itself by a private address, and its media by one that is none: it has asked a STUN
    /// server, or a gateway has changed it.
    bool writer_behind_nat = false;
    std::string contact_text;  ///< the first Contact, as written
    std::optional<sip::Uri> contact;
    unsigned record_routes = 0;
    bool length_readable = true;  ///< Content-Length is absent or a number
    sdp::Bodies bodies;
    std::vector<sdp::Document> descriptions;  ///< of `bodies`, those that can be read
};

[[nodiscard]] MessageFacts read_facts(const sip::Message& message);

/// Reads a message as leniently as can be: cut before the end of its header part, space after the start line, control
/// bytes in the header section, odd letters in a method. What nobody could read is an error.
[[nodiscard]] Result<sip::Message> parse_leniently(const std::string& bytes);

/// An error that says so where a message that was read has a control byte by which header fields can be smuggled past a
/// proxy. One behind a backslash in quoted text (RFC 4475 section 3.1.1.2) is none.
[[nodiscard]] Result<void> report_control(const sip::Message& message);

/// Where a message came from, by what its receiver wrote into the Via (RFC 3581), when nobody else says.
[[nodiscard]] std::optional<Endpoint> source_of_via(const MessageFacts& facts);

/// Whether the Contact is the sender's own: of a request by its Via count, of a response unless it lists bindings or
/// targets (REGISTER, 3xx) or came through a proxy that record-routed.
[[nodiscard]] bool contact_is_senders(const sip::Message& message, const MessageFacts& facts);

/// The `nat` object of a request or response: where its sender is, and which named tests fire. The number of Kamailio
/// is there for requests only. Pure; never fails.
[[nodiscard]] record::Nat describe(const sip::Message& message, const MessageFacts& facts, const Arrival& arrival,
                                   const nat::Networks& networks);

/// The same of a bare session description that came from `source`: the address it names stands for the Contact.
[[nodiscard]] record::Nat describe(const sdp::Document& document, const Endpoint& source,
                                   const nat::Networks& networks);

/// What nat_uac_test() of Kamailio 5.6's nathelper would find, every test asked for: its defects included (IPv4 only,
/// its own table of private addresses, a name never equals an address, streams read up to the first IPv6 or 0.0.0.0).
[[nodiscard]] unsigned nat_uac_test(const MessageFacts& facts, const Arrival& arrival);

/// Signs that an application layer gateway changed the message on its way: fields that contradict each other.
[[nodiscard]] std::vector<record::Evidence> alg_evidence(const sip::Message& message, const MessageFacts& facts,
                                                         const Arrival& arrival, const nat::Networks& networks);

}  // namespace natkit::explain
