// Captures: any bytes are read to their end; what comes out lies within bounds. Then what natclassify
// does with it: messages, calls, RTP streams and the doctor.
//
// links: explain_engine
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "natkit/diagnose/diagnose.hpp"
#include "natkit/engine/explain/captures/call_facts.hpp"
#include "natkit/engine/explain/captures/capture_messages.hpp"
#include "natkit/engine/explain/captures/copies.hpp"
#include "natkit/engine/explain/compare.hpp"
#include "natkit/engine/explain/paths.hpp"

using namespace natkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto reader =
        capture::PacketReader::open(capture::ByteSource::of(std::string(reinterpret_cast<const char*>(data), size)));
    if (!reader) return 0;
    const explain::Rules rules{.networks = {.lan = {}, .nated = nat::default_nated(), .nat_servers = {}}};
    explain::CallTracker calls;
    explain::CaptureFacts all;
    calls.on_call = [&](const explain::Call& call) {
        (void)explain::decide_call(call, rules);
        (void)diagnose::diagnose(explain::facts_of(call, all, rules.networks));
    };
    explain::HopTracker hops;
    hops.on_exchanges = [&](const std::vector<explain::Exchange>& exchanges) {
        for (const explain::MediaPath& path : explain::find_paths(exchanges, all.rtp, rules)) {
            if (path.nodes.size() < 2 || path.relays_needed > path.nodes.size()) std::abort();
        }
    };
    explain::CopyFinder copies;
    const auto on_message = [&](explain::CapturedMessage&& captured) {
        if (captured.seen.frame == 0 || captured.bytes.size() > size) std::abort();
        const auto message = explain::parse_leniently(captured.bytes);
        if (!message) return;
        const explain::MessageFacts facts = explain::read_facts(*message);
        const explain::Arrival arrival{.transport = captured.transport,
                                       .source = captured.source,
                                       .destination = captured.destination,
                                       .cut = captured.cut,
                                       .own_via = captured.destination.address};
        const record::Nat nat = explain::describe(*message, facts, arrival, rules.networks);
        (void)explain::compare_peers(message->method(), facts, arrival);
        const auto copy = copies.find(captured.seen.frame, captured.seen.time_ns, captured.source, captured.destination,
                                      captured.bytes);
        if (copy && copy->frame >= captured.seen.frame) std::abort();
        const explain::MessageSeen seen{.message = *message,
                                        .facts = facts,
                                        .nat = nat,
                                        .arrival = arrival,
                                        .frame = captured.seen.frame,
                                        .time_ns = captured.seen.time_ns,
                                        .copy = copy.has_value()};
        calls.on_message(seen);
        if (calls.bytes() > 256 * (size + 4096)) std::abort();
        hops.on_message(seen);
    };
    explain::CaptureEvents events;
    events.on_media = [&](const explain::CapturedMedia& media) {
        all.rtp.on_packet(media.seen.frame, media.source, media.destination, media.seen.time_ns, media.payload);
    };
    events.on_segment = [&](const capture::Datagram& segment) { all.tcp.on_segment(segment); };
    events.on_icmp_error = [&](const capture::IcmpError& error) {
        if (error.seen.frame == 0 || error.quoted.size() > size) std::abort();
        all.evidence.on_icmp_error(error);
    };
    events.on_lost_fragments = [&](const capture::LostFragments& lost) {
        if (lost.pieces == 0 || (lost.begin && lost.begin->payload.size() > 65'535)) std::abort();
    };
    explain::CaptureMessages messages(on_message, events);
    for (auto packet = reader->next(); packet && *packet; packet = reader->next()) messages.on_packet(**packet);
    messages.finish();
    if (const explain::Tally* instead = messages.without_sip()) (void)instead->text();
    calls.finish();
    hops.finish();
    return 0;
}
