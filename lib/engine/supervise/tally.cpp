#include "tally.hpp"

#include <nlohmann/json.hpp>
#include "natkit/record/json_members.hpp"

namespace natkit::supervise {
namespace {

using Json = nlohmann::ordered_json;
using metrics::Family;

constexpr std::size_t max_labels = 64;

double number_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

Family of_counts(const char* name, const char* help, const char* label,
                 const std::map<std::string, std::uint64_t>& counts) {
    Family family{.name = name, .help = help, .counter = true, .samples = {}};
    for (const auto& [value, count] : counts) {
        family.samples.push_back({.labels = {{label, value}}, .value = static_cast<double>(count)});
    }
    return family;
}

/// What natkit says of each of its components.
void add_components(const Json& components, std::vector<Family>& families) {
    Family up{.name = "natkit_component_up", .help = "1 while the program runs and answers.", .samples = {}};
    Family restarts{.name = "natkit_component_restarts_total",
                    .help = "How often the program was started again.",
                    .counter = true,
                    .samples = {}};
    Family uptime{.name = "natkit_component_uptime_seconds", .help = "Age of the program's process.", .samples = {}};
    for (const Json& one : components) {
        const std::vector<std::pair<std::string, std::string>> labels = {{"component", record::text_of(one, "name")}};
        up.samples.push_back({labels, record::text_of(one, "state") == "running" ? 1.0 : 0.0});
        restarts.samples.push_back({labels, number_of(one, "restarts")});
        uptime.samples.push_back({labels, number_of(one, "uptime_s")});
    }
    families.push_back(std::move(up));
    families.push_back(std::move(restarts));
    families.push_back(std::move(uptime));
}

/// What each process takes of the machine, natkit's own too.
void add_usage(const Json& status, const Json& components, std::vector<Family>& families) {
    Family cpu{.name = "natkit_process_cpu_seconds_total",
               .help = "CPU time that the program's process has taken.",
               .counter = true,
               .samples = {}};
    Family memory{.name = "natkit_process_resident_memory_bytes",
                  .help = "Memory that the program's process holds.",
                  .samples = {}};
    const auto add = [&](const Json& process, const std::string& name) {
        if (!process.contains("cpu_s")) return;
        cpu.samples.push_back({{{"component", name}}, number_of(process, "cpu_s")});
        memory.samples.push_back({{{"component", name}}, number_of(process, "memory_bytes")});
    };
    add(status, "natkit");
    for (const Json& one : components) add(one, record::text_of(one, "name"));
    families.push_back(std::move(cpu));
    families.push_back(std::move(memory));
}

/// A number of one component's status.
struct Copied {
    const char* component;
    const char* key;
    const char* name;
    const char* help;
    bool counter;
};
constexpr Copied copied[] = {
    {"mediarelay", "sessions", "natkit_sessions", "Media sessions: joined pairs of legs.", false},
    {"mediarelay", "legs", "natkit_legs", "Relay legs, joined or not.", false},
    {"mediarelay", "ports_in_use", "natkit_media_ports_in_use", "Ports of the media range that are bound.", false},
    {"mediarelay", "ports_cooling", "natkit_media_ports_cooling", "Ports that wait before they are used again.", false},
    {"mediarelay", "fast_flows", "natkit_fast_flows", "Directions of streams that the kernel forwards.", false},
    {"mediarelay", "journal_bytes", "natkit_journal_bytes", "Size of the journal that survives a crash.", false},
    {"sipedge", "calls", "natkit_calls", "Calls.", false},
    {"sipedge", "clients", "natkit_clients", "Registered contacts.", false},
    {"sipedge", "transactions", "natkit_transactions", "SIP transactions under way.", false},
    {"sipedge", "transaction_bytes", "natkit_transaction_bytes", "Memory that SIP transactions take.", false},
    {"sipedge", "flooded", "natkit_requests_dropped_total", "SIP requests over a limit of [limits].", true},
    {"natpinger", "pinged", "natkit_clients_pinged", "Clients whose NAT binding is kept open.", false},
    {"natpinger", "refused", "natkit_clients_refused_total", "Clients not pinged because of clients_limit.", true},
    {"natpinger", "dead", "natkit_clients_dead_total", "Clients found dead by their pings.", true},
};

void add_copied(const Json& components, std::vector<Family>& families) {
    for (const Copied& one : copied) {
        for (const Json& component : components) {
            if (record::text_of(component, "name") != one.component || !component.contains(one.key)) continue;
            families.push_back({.name = one.name,
                                .help = one.help,
                                .counter = one.counter,
                                .samples = {{.labels = {}, .value = number_of(component, one.key)}}});
        }
    }
}

void add_tiers(const Json& components, std::vector<Family>& families) {
    Family on{.name = "natkit_tier_on",
              .help = "1 where the tier works: steered reception, the kernel's fast path; natkit status says why not.",
              .samples = {}};
    Family left{.name = "natkit_streams_not_fast",
                .help = "Directions of joined streams that the fast path does not carry, by why.",
                .samples = {}};
    const auto is_on = [](const Json& component, const char* tier, const char* key) {
        const auto found = component.find(tier);
        return found != component.end() && found->is_object() && found->value(key, false) ? 1.0 : 0.0;
    };
    for (const Json& component : components) {
        if (record::text_of(component, "name") != "mediarelay" || !component.contains("fast_path")) continue;
        on.samples.push_back({{{"tier", "steered"}}, is_on(component, "receive", "steered")});
        on.samples.push_back({{{"tier", "fast"}}, is_on(component, "fast_path", "on")});
        const auto by_why = component["fast_path"].find("not_fast");
        if (by_why == component["fast_path"].end() || !by_why->is_object()) continue;
        for (const auto& [why, count] : by_why->items()) {
            if (count.is_number()) left.samples.push_back({{{"why", why}}, count.get<double>()});
        }
    }
    families.push_back(std::move(on));
    families.push_back(std::move(left));
}

/// What the relay has forwarded, by direction.
void add_media(const Json& components, std::vector<Family>& families) {
    Family packets{.name = "natkit_media_packets_total",
                   .help = "UDP media packets taken from parties and sent to them.",
                   .counter = true,
                   .samples = {}};
    Family bytes{.name = "natkit_media_bytes_total",
                 .help = "Bytes of media taken from parties and sent to them: UDP payload, and TCP.",
                 .counter = true,
                 .samples = {}};
    for (const Json& component : components) {
        if (record::text_of(component, "name") != "mediarelay") continue;
        for (const char* direction : {"received", "sent"}) {
            const auto counted = component.find(direction);
            if (counted == component.end() || !counted->is_object()) continue;
            packets.samples.push_back({{{"direction", direction}}, number_of(*counted, "packets")});
            bytes.samples.push_back({{{"direction", direction}}, number_of(*counted, "bytes")});
        }
    }
    families.push_back(std::move(packets));
    families.push_back(std::move(bytes));
}

/// Of the programs that send to a collector.
void add_hep(const Json& components, std::vector<Family>& families) {
    const auto add = [&](const char* key, const char* name, const char* help) {
        Family family{.name = name, .help = help, .counter = true, .samples = {}};
        for (const Json& component : components) {
            const auto hep = component.find("hep");
            if (hep == component.end() || !hep->is_object()) continue;
            family.samples.push_back({{{"component", record::text_of(component, "name")}}, number_of(*hep, key)});
        }
        families.push_back(std::move(family));
    };
    add("sent", "natkit_hep_sent_total", "Packets of HEP given to the network.");
    add("dropped", "natkit_hep_dropped_total", "Packets of HEP that could not be sent at once, or were refused.");
}

/// Of one of several active edges: whose clients are whose.
void add_active_edges(const Json& cluster, std::vector<Family>& families) {
    families.push_back({.name = "natkit_cluster_lease",
                        .help = "1 while this node's lease holds.",
                        .samples = {{.labels = {}, .value = record::text_of(cluster, "lease") == "held" ? 1.0 : 0.0}}});
    Family live{.name = "natkit_cluster_node_live",
                .help = "1 while the lease of that other node holds, as far as this one knows.",
                .samples = {}};
    if (const auto nodes = cluster.find("nodes"); nodes != cluster.end() && nodes->is_array()) {
        for (const Json& one : *nodes) {
            live.samples.push_back(
                {{{"node", record::text_of(one, "node")}}, one.value("live", Json()) == Json(true) ? 1.0 : 0.0});
        }
    }
    families.push_back(std::move(live));
    Family clients{.name = "natkit_cluster_clients",
                   .help = "Registered contacts of all nodes, by whose they are as this node sees it.",
                   .samples = {}};
    if (const auto known = cluster.find("clients"); known != cluster.end() && known->is_object()) {
        for (const auto& [whose, count] : known->items()) {
            if (count.is_number()) clients.samples.push_back({{{"whose", whose}}, count.get<double>()});
        }
    }
    families.push_back(std::move(clients));
}

/// Of one of two nodes, of which one serves: how far the other one is behind.
void add_pair(const Json& cluster, std::vector<Family>& families) {
    const auto add = [&](const char* name, const char* help, double value) {
        families.push_back({.name = name, .help = help, .samples = {{.labels = {}, .value = value}}});
    };
    add("natkit_cluster_lag_seconds", "Until a standby last acknowledged what had changed here.",
        number_of(cluster, "lag_ms") / 1000);
    add("natkit_cluster_lag_p99_seconds", "The same, longer than which one in a hundred took.",
        number_of(cluster, "lag_ms_p99") / 1000);
    add("natkit_cluster_unprotected_seconds", "Since when changes are on this node alone; 0: they are not.",
        number_of(cluster, "unprotected_s"));
    const auto standbys = cluster.find("standbys");
    add("natkit_cluster_standbys", "Nodes that hold what this one would lose.",
        standbys != cluster.end() && standbys->is_array() ? static_cast<double>(standbys->size()) : 0);
}

/// Of a node of a cluster.
void add_cluster(const Json& cluster, std::vector<Family>& families) {
    const auto add = [&](const char* name, const char* help, double value) {
        families.push_back({.name = name, .help = help, .samples = {{.labels = {}, .value = value}}});
    };
    add("natkit_cluster_active", "1 while this node serves, 0 while it is a standby.",
        record::text_of(cluster, "role") == "active" ? 1 : 0);
    add("natkit_cluster_epoch", "Grows with each promotion of any node.", number_of(cluster, "epoch"));
    add("natkit_cluster_ready", "1 while this node serves or could take over at once.",
        cluster.value("ready", Json()) == Json(true) ? 1 : 0);
    add("natkit_cluster_redis_up", "1 while Redis is connected and answers.",
        record::text_of(cluster, "redis") == "connected" ? 1 : 0);
    if (record::text_of(cluster, "shape") == "several") {
        add_active_edges(cluster, families);
    } else {
        add_pair(cluster, families);
    }
    Family records{.name = "natkit_cluster_records", .help = "What this node shares or holds, by kind.", .samples = {}};
    if (const auto held = cluster.find("records"); held != cluster.end() && held->is_object()) {
        for (const auto& [kind, count] : held->items()) {
            if (count.is_number()) records.samples.push_back({{{"kind", kind}}, count.get<double>()});
        }
    }
    families.push_back(std::move(records));
}

void add_pings(const Json& components, std::vector<Family>& families) {
    Family pings{.name = "natkit_pings_total", .help = "Pings by what became of them.", .counter = true, .samples = {}};
    for (const Json& component : components) {
        if (record::text_of(component, "name") != "natpinger") continue;
        for (const char* result : {"sent", "later", "failed", "answers", "strangers"}) {
            if (component.contains(result))
                pings.samples.push_back({{{"result", result}}, number_of(component, result)});
        }
    }
    families.push_back(std::move(pings));
}

}  // namespace

void Tally::count(Counts& counts, const std::string& label) {
    if (label.empty()) return;
    if (counts.size() < max_labels || counts.contains(label)) ++counts[label];
}

void Tally::on_record(const Json& record) {
    const std::string type = record::text_of(record, "type");
    if (type == "decision") {
        const auto relay = record.find("relay");
        if (relay != record.end() && relay->is_boolean()) count(decisions_, relay->get<bool>() ? "yes" : "no");
    } else if (type == "session") {
        count(one_way_, record::text_of(record, "cause"));
    } else if (type == "timeout") {
        count(timeouts_, record::text_of(record, "reason"));
    } else if (type == "drop") {
        count(refusals_, record::text_of(record, "reason"));
    } else if (type == "latch") {
        count(latches_, record::text_of(record, "rule"));
    }
}

std::vector<Family> Tally::families(const Json& status) const {
    std::vector<Family> families;
    families.push_back({.name = "natkit_uptime_seconds",
                        .help = "Age of natkit's process.",
                        .samples = {{.labels = {}, .value = number_of(status, "uptime_s")}}});
    const auto count = [&status](const char* key) {
        const auto list = status.find(key);
        return list == status.end() ? 0.0 : static_cast<double>(list->size());
    };
    families.push_back({.name = "natkit_troubles",
                        .help = "What does not work as it should; natkit status says what. Not 0: degraded.",
                        .samples = {{.labels = {}, .value = count("degraded")}}});
    families.push_back({.name = "natkit_listeners_without_address",
                        .help = "Listeners whose address this host does not have at present.",
                        .samples = {{.labels = {}, .value = count("no_address")}}});
    if (status.contains("certificate_expires_s")) {
        families.push_back({.name = "natkit_certificate_expiry_timestamp_seconds",
                            .help = "When the certificate of [tls] that is in use expires, in seconds since 1970.",
                            .samples = {{.labels = {}, .value = number_of(status, "certificate_expires_s")}}});
    }
    if (const auto components = status.find("components"); components != status.end()) {
        add_components(*components, families);
        add_usage(status, *components, families);
        add_copied(*components, families);
        add_media(*components, families);
        add_tiers(*components, families);
        add_pings(*components, families);
        add_hep(*components, families);
    }
    if (const auto cluster = status.find("cluster"); cluster != status.end() && cluster->is_object()) {
        add_cluster(*cluster, families);
    }
    families.push_back(
        of_counts("natkit_decisions_total", "Decisions whether a call gets a media proxy.", "relay", decisions_));
    families.push_back(
        of_counts("natkit_one_way_total", "Sessions found with audio in one direction only.", "cause", one_way_));
    families.push_back(
        of_counts("natkit_media_timeouts_total", "Sessions and legs freed for silence.", "reason", timeouts_));
    families.push_back(of_counts("natkit_media_refusals_total", "Kinds of packets refused, once for each leg and kind.",
                                 "reason", refusals_));
    families.push_back(
        of_counts("natkit_latches_total", "Media sources learned, by the rule that allowed it.", "rule", latches_));
    return families;
}

}  // namespace natkit::supervise
