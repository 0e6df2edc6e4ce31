#include "natkit/engine/console/show.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "natkit/base/display.hpp"

namespace natkit::console {
namespace {

std::string plural(const Json& count, const char* one, const char* many) {
    return count.dump() + " " + (count == 1 ? one : many);
}

/// "media steered, fast path 120; not on it: held 2, settling 4": of mediarelay's part.
std::string tier_line(const Json& relay) {
    const auto is_on = [](const Json& tier, const char* key) {
        const Json& value = member(tier, key);
        return value.is_boolean() && value.get<bool>();
    };
    const Json& receive = member(relay, "receive");
    const Json& fast = member(relay, "fast_path");
    std::string line = is_on(receive, "steered") ? "media steered" : "media by sockets";
    if (receive.contains("why")) line += " (" + text_of(receive, "why") + ")";
    if (!is_on(fast, "on")) return line + ", fast path off: " + text_of(fast, "why");
    line += ", fast path " + text_of(relay, "fast_flows");
    std::string separator = "; not on it: ";
    for (const auto& [why, count] : member(fast, "not_fast").items()) {
        line += std::exchange(separator, ", ") + why + " " + count.dump();
    }
    return line;
}

/// What becomes of a call's media, before the reasons. A call that is being set up has no joined legs yet; one that was
/// relayed may have none any more: its streams were rejected or fell silent, or another pass of the call relays them.
std::string relay_words(const Json& call) {
    const bool wanted = member(call, "relay") == true;
    if (member(call, "relayed_streams") != 0) return "relayed: ";
    if (member(call, "state") == "setting-up") return wanted ? "will be relayed: " : "will not be relayed: ";
    return wanted ? "no stream is relayed now, though " : "not relayed: ";
}

/// Names, reasons and user agents are what others have sent.
std::vector<std::string> safe(std::vector<std::string> lines) {
    for (std::string& line : lines) line = text::displayable(line);
    return lines;
}

std::string with_unit(double value, const char* unit) {
    std::array<char, 32> text{};
    static_cast<void>(std::snprintf(text.data(), text.size(), "%.1f %s", value, unit));
    return text.data();
}

/// What an end said of where its media goes, and what was learned.
std::string media_words(const Json& media) {
    const std::string said = media.contains("said") ? "said " + text_of(media, "said") : "has said nothing";
    if (!media.contains("learned")) return said + ", nothing heard yet";
    return said + ", heard from " + text_of(media, "learned") + " (" + text_of(media, "rule") + ")";
}

/// "hep: sipedge has sent 1200 packets to udp:homer:9060, and dropped 3"
std::string hep_line(const Json& component) {
    const Json& hep = member(component, "hep");
    return "hep: " + text_of(component, "name") + " has sent " + text_of(hep, "sent") + " packets to " +
           text_of(hep, "target") + ", and dropped " + text_of(hep, "dropped") +
           (hep.contains("address") ? "" : " (no address of that name is known)");
}

/// One of several active edges.
std::vector<std::string> active_edge_lines(const Json& cluster) {
    std::vector<std::string> lines = {"cluster " + text_of(cluster, "group") + ": " + text_of(cluster, "node") +
                                      " is one of several active edges, epoch " + text_of(cluster, "epoch")};
    const std::string lease = text_of(cluster, "lease");
    lines.push_back("  lease " + (lease == "held" ? lease : "not held: " + lease) + ", Redis " +
                    text_of(cluster, "redis"));
    const Json& clients = member(cluster, "clients");
    lines.push_back("  registrations: own " + text_of(clients, "own") + ", just being taken from another node " +
                    text_of(clients, "taken") + ", of other nodes " + text_of(clients, "foreign") + ", of nobody " +
                    text_of(clients, "nobody"));
    for (const Json& one : member(cluster, "nodes")) {
        const bool live = member(one, "live") == true;
        const bool unread = live && member(one, "read") != true;
        lines.push_back("  " + text_of(one, "node") + (live ? ": live" : ": not live") + ", epoch " +
                        text_of(one, "epoch") + ", registrations " + text_of(one, "clients") +
                        (unread ? ", not read yet" : ""));
    }
    if (member(cluster, "ready") != true) lines.push_back("  not ready: " + text_of(cluster, "ready_why"));
    return safe(std::move(lines));
}

}  // namespace

const Json& member(const Json& object, const char* key) {
    static const Json none;
    if (!object.is_object()) return none;
    const auto found = object.find(key);
    return found != object.end() ? *found : none;
}

std::string text_of(const Json& object, const char* key) {
    const Json& value = member(object, key);
    if (value.is_null()) return "-";
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::vector<std::string> cluster_lines(const Json& cluster) {
    if (!cluster.is_object() || cluster.empty()) return {};
    if (text_of(cluster, "shape") == "several") return active_edge_lines(cluster);
    const bool active = text_of(cluster, "role") == "active";
    const Json& owner = member(cluster, "owner");
    std::string first = "cluster " + text_of(cluster, "group") + ": " + text_of(cluster, "node") + " is " +
                        (active ? "active" : "a standby") + ", epoch " + text_of(cluster, "epoch");
    if (!active) first += owner.is_object() ? ", active is " + text_of(owner, "node") : ", no node is active";
    std::vector<std::string> lines = {first};
    const Json& records = member(cluster, "records");
    lines.push_back("  registrations " + text_of(records, "bindings") + ", legs " + text_of(records, "legs") +
                    ", Redis " + text_of(cluster, "redis"));
    if (active) {
        for (const Json& one : member(cluster, "standbys"))
            lines.push_back("  standby " + text_of(one, "node") + ": " + text_of(one, "lag_ms") + " ms behind");
        if (const Json& time = member(cluster, "unprotected_s"); time.is_number() && time > 0)
            lines.push_back("  unprotected for " + text_of(cluster, "unprotected_s") +
                            " s: what was established since would be lost with this node");
    } else {
        const bool ready = member(cluster, "ready") == true;
        lines.push_back(ready ? "  ready to take over" : "  not ready to take over: " + text_of(cluster, "ready_why"));
    }
    return safe(std::move(lines));
}

std::vector<std::string> status_lines(const Json& status) {
    std::vector<std::string> lines = {"natkit " + text_of(status, "state") + ", process " + text_of(status, "pid") +
                                      ", up " + text_of(status, "uptime_s") + " s"};
    for (const Json& trouble : member(status, "degraded")) lines.push_back("  degraded: " + trouble.get<std::string>());
    const Json& listen = member(status, "listen");
    const Json& absent = member(status, "no_address");
    const auto in = [](const Json& list, const Json& name) { return std::ranges::find(list, name) != list.end(); };
    for (const Json& name : listen) {
        lines.push_back("  " + name.get<std::string>() +
                        (in(absent, name) ? " (not this host's address at present)" : ""));
    }
    for (const Json& name : absent) {
        if (!in(listen, name)) lines.push_back("  " + name.get<std::string>() + " (no address yet)");
    }
    for (std::string& line : cluster_lines(member(status, "cluster"))) lines.push_back(std::move(line));
    lines.push_back("sessions " + text_of(status, "sessions") + ", streams " + text_of(status, "streams") +
                    ", packets a second " + text_of(status, "packets_a_second") + ", calls " +
                    text_of(status, "calls") + ", clients " + text_of(status, "clients") + ", pinged " +
                    text_of(status, "pinged"));
    for (const Json& one : member(status, "components")) {
        if (one.contains("fast_path")) lines.push_back(tier_line(one));
    }
    for (const Json& one : member(status, "components")) {
        if (one.contains("hep")) lines.push_back(hep_line(one));
    }
    lines.emplace_back();
    lines.emplace_back("component   state     pid      restarts  uptime_s");
    for (const Json& one : member(status, "components")) {
        lines.push_back(fitted(text_of(one, "name"), 11) + " " + fitted(text_of(one, "state"), 9) + " " +
                        fitted(text_of(one, "pid"), 8) + " " + fitted(text_of(one, "restarts"), 9) + " " +
                        text_of(one, "uptime_s"));
    }
    return safe(std::move(lines));
}

std::string loss_of(const Json& call) {
    const Json& quality = member(call, "quality");
    const Json& packets = member(quality, "packets");
    const Json& lost = member(quality, "lost");
    if (!packets.is_number() || !lost.is_number()) return {};
    const double due = packets.get<double>() + lost.get<double>();
    return due > 0 ? with_unit(100 * lost.get<double>() / due, "%") : std::string();
}

std::string jitter_of(const Json& call) {
    const Json& jitter = member(member(call, "quality"), "jitter_ms");
    return jitter.is_number() ? with_unit(jitter.get<double>(), "ms") : std::string();
}

std::string clock_of(std::int64_t seconds) {
    std::array<char, 48> text{};
    const long long hours = seconds / 3600;
    const long long minutes = seconds / 60 % 60;
    const long long rest = seconds % 60;
    if (hours > 0) {
        static_cast<void>(std::snprintf(text.data(), text.size(), "%lld:%02lld:%02lld", hours, minutes, rest));
    } else {
        static_cast<void>(std::snprintf(text.data(), text.size(), "%lld:%02lld", minutes, rest));
    }
    return text.data();
}

std::string reasons_of(const Json& call) {
    return relay_words(call) + text_of(call, "why") + "; caller: " + text_of(member(call, "a"), "why") +
           "; callee: " + text_of(member(call, "b"), "why");
}

/// "sip:alice@example.com calls sip:bob@example.com, talking for 12 s, loss 0.1 %, jitter 2.5 ms"
std::string who_words(const Json& call) {
    const Json& duration = member(call, "duration_s");
    std::string words;
    const auto add = [&words](const std::string& more) { words += (words.empty() ? "" : ", ") + more; };
    if (call.contains("from") || call.contains("to")) add(text_of(call, "from") + " calls " + text_of(call, "to"));
    if (duration.is_number()) add("talking for " + std::to_string(duration.get<std::int64_t>()) + " s");
    if (const std::string loss = loss_of(call); !loss.empty()) add("loss " + loss);
    if (const std::string jitter = jitter_of(call); !jitter.empty()) add("jitter " + jitter);
    return words;
}

std::vector<std::string> call_lines(const Json& calls, Streams streams) {
    std::vector<std::string> lines = {
        "caller                place    callee                place    state        relayed"};
    for (const Json& call : calls) {
        const Json& a = member(call, "a");
        const Json& b = member(call, "b");
        lines.push_back(fitted(text_of(a, "source"), 21) + " " + fitted(text_of(a, "place"), 8) + " " +
                        fitted(text_of(b, "source"), 21) + " " + fitted(text_of(b, "place"), 8) + " " +
                        fitted(text_of(call, "state"), 12) + " " +
                        plural(member(call, "relayed_streams"), "stream", "streams"));
        if (const std::string who = who_words(call); !who.empty()) lines.push_back("  " + who);
        lines.push_back("  " + reasons_of(call));
        if (streams == Streams::left_out) continue;
        for (const Json& stream : member(call, "streams")) {
            lines.push_back("  " + text_of(stream, "stream") + ": caller " + media_words(member(stream, "a")) +
                            "; callee " + media_words(member(stream, "b")));
        }
    }
    return safe(std::move(lines));
}

std::vector<std::string> client_lines(const Json& clients) {
    std::vector<std::string> lines = {"client                          seen as               place    expires  agent"};
    for (const Json& client : clients) {
        const Json& left = member(client, "expires_ms");
        lines.push_back(fitted(text_of(client, "aor"), 31) + " " +
                        fitted(text_of(member(client, "flow"), "remote"), 21) + " " +
                        fitted(text_of(client, "place"), 8) + " " +
                        fitted(left.is_number() ? std::to_string(left.get<std::int64_t>() / 1000) + " s" : "-", 8) +
                        " " + text_of(client, "user_agent"));
        lines.push_back("  " + text_of(client, "place") + ": " + text_of(client, "why"));
    }
    return safe(std::move(lines));
}

std::vector<std::string> preview_lines(const Json& preview) {
    std::vector<std::string> lines;
    for (const Json& change : member(preview, "changes")) {
        lines.push_back(text_of(change, "key") + ": " + text_of(change, "before") + " → " + text_of(change, "after"));
    }
    if (lines.empty()) lines.emplace_back("no key would change");
    for (const Json& name : member(preview, "opened")) lines.push_back("would listen on " + name.get<std::string>());
    for (const Json& name : member(preview, "no_address")) {
        lines.push_back("would listen on " + name.get<std::string>() +
                        " once it can: no address yet: this is no address of this host (ip address lists them)");
    }
    for (const Json& name : member(preview, "closed")) lines.push_back("would close " + name.get<std::string>());
    if (!preview.contains("would_change")) return lines;
    lines.push_back(plural(preview["would_change"], "registered client", "registered clients") + " of " +
                    preview["clients"].dump() + " would change place");
    for (const Json& move : preview["moves"]) {
        lines.push_back("  " + text_of(move, "aor") + " at " + text_of(move, "source") + ": " +
                        text_of(member(move, "before"), "place") + " → " + text_of(member(move, "after"), "place") +
                        " (rule " + text_of(member(move, "after"), "rule") + ")");
    }
    return safe(std::move(lines));
}

}  // namespace natkit::console
