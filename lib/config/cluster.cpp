#include "cluster.hpp"

#include <algorithm>

#include "parsers.hpp"

namespace natkit::config {
namespace {

constexpr unsigned most_databases = 65535;

Result<std::optional<RedisTarget>> parse_state(std::string_view text) {
    if (text.empty()) return std::optional<RedisTarget>();
    auto parsed = RedisTarget::parse(text);
    if (!parsed) return std::unexpected(parsed.error());
    return std::optional<RedisTarget>(std::move(*parsed));
}

Result<Endpoint> parse_peer(std::string_view text) {
    const auto endpoint = Endpoint::parse(text);
    const bool good =
        endpoint && endpoint->port != 0 && !endpoint->address.is_unspecified() && !endpoint->address.is_multicast();
    if (!good) return fail(Errc::bad_config, "not an address with port: " + in_quotes(text));
    return *endpoint;
}

/// A part of the names that things have in Redis.
Result<std::string> parse_group(std::string_view text) {
    const auto good = [](char c) { return (text::lower(c) >= 'a' && text::lower(c) <= 'z') || (c >= '0' && c <= '9'); };
    const bool all = std::ranges::all_of(text, [good](char c) { return good(c) || c == '-' || c == '_' || c == '.'; });
    if (text.empty() || text.size() > 64 || !all) return fail(Errc::bad_config, "not a name: " + in_quotes(text));
    return std::string(text);
}

constexpr std::size_t most_peers = 16;

/// True: all lines are good.
bool read_peers(const toml::node& node, Cluster& cluster, Section& section, Diagnostics& diagnostics) {
    constexpr std::string_view instead = "write node = \"ADDRESS:PORT\" for each node";
    const toml::table* table = node.as_table();
    if (table == nullptr) {
        section.wrong_type(node, "peers", "a table", "write a section [cluster.peers]");
        return false;
    }
    Section peers(table, "cluster.peers", diagnostics);
    if (table->size() > most_peers)
        peers.error(node, "", "more than " + std::to_string(most_peers) + " nodes; write fewer");
    for (const auto& [key, value] : *table) {
        const std::string name(key.str());
        const auto known = parse_node_name(name);
        if (!known || known->empty()) {
            peers.error(value, name, "not a name: " + in_quotes(name) + "; " + std::string(write_node_name));
            continue;
        }
        ClusterPeer peer{.node = *known, .listen = {}};
        peers.value(name, peer.listen, [](std::string_view text) { return parse_peer(text); }, instead);
        if (peer.listen.port == 0) continue;  // told already
        if (std::ranges::find(cluster.peers, peer.listen, &ClusterPeer::listen) != cluster.peers.end())
            peers.error(value, name, "another node has " + to_string(peer.listen) + " too; give each its own");
        cluster.peers.push_back(std::move(peer));
    }
    return cluster.peers.size() == table->size();
}

void check_peers(const Cluster& cluster, const toml::node& peers, Diagnostics& diagnostics) {
    const auto error = [&](std::string why) {
        diagnostics.error(peers.source().begin, "cluster", "peers", std::move(why));
    };
    if (!cluster.state) return error("the nodes have nothing to share; write [cluster] state = \"redis://HOST\"");
    if (cluster.peers.size() < 2) return error("only one node; write one line for each of them, this one too");
    if (cluster.node.empty()) return error("which of them this one is, is not known; write [cluster] node");
    if (std::ranges::find(cluster.peers, cluster.node, &ClusterPeer::node) == cluster.peers.end())
        error("this node is not among them: " + in_quotes(cluster.node) + "; write a line for it too");
}

}  // namespace

Result<RedisTarget> RedisTarget::parse(std::string_view text) {
    constexpr std::string_view scheme = "redis://";
    if (!text.starts_with(scheme)) return fail(Errc::bad_config, "not redis:// " + in_quotes(text));
    std::string_view rest = text.substr(scheme.size());
    // What stands before an @ is not quoted: it may be a password.
    if (rest.find('@') != std::string_view::npos)
        return fail(Errc::bad_config, "no place for a user and a password, which have keys of their own");
    RedisTarget target;
    if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
        const std::string_view database = rest.substr(slash + 1);
        const auto number = text::parse_number(database, most_databases);
        if (!database.empty() && !number) return fail(Errc::bad_config, "not a database: " + in_quotes(database));
        target.database = static_cast<unsigned>(number.value_or(0));
        rest = rest.substr(0, slash);
    }
    auto place = parse_host_and_port(rest, target.port);
    if (!place) return std::unexpected(place.error());
    target.host = std::move(place->host);
    target.port = place->port;
    return target;
}

std::string to_string(const RedisTarget& target) {
    return "redis://" + host_and_port(target.host, target.port) + "/" + std::to_string(target.database);
}

Cluster read_cluster(Section section, const Paths& paths, Diagnostics& diagnostics) {
    Cluster cluster;
    section.value("state", cluster.state, parse_state, "write \"redis://HOST:PORT/DATABASE\", or \"\" for none");
    section.value("node", cluster.node, parse_node_name, write_node_name);
    section.value("group", cluster.group, parse_group, "write up to 64 letters, digits, \"-\", \"_\" and \".\"");
    section.value("key", cluster.key, path_parser(paths), "write the path of the key that all nodes have");
    section.value("user", cluster.user, parse_node_name,
                  "write the name of a user of Redis, or \"\" for the default one");
    section.value("password_file", cluster.password_file, path_parser(paths),
                  "write the path of a file with the password");
    section.value("timeout", cluster.timeout, duration_parser(Milliseconds(100), std::chrono::minutes(1)),
                  write_duration);
    if (const toml::node* peers = section.find("peers")) {
        if (read_peers(*peers, cluster, section, diagnostics)) check_peers(cluster, *peers, diagnostics);
    }
    section.done();
    return cluster;
}

void check_cluster(const Config& config, Section& root, Diagnostics& diagnostics) {
    if (!config.cluster.state) return;
    const auto at = root.find("cluster")->as_table()->get("state")->source().begin;
    if (config.cluster.key.empty()) {
        diagnostics.error(at, "cluster", "state",
                          "a key is needed with it; write key = the path of a file that each node has a copy of "
                          "(natkit-cluster(7))");
    }
    if (!config.cluster.peers.empty()) return;
    const bool named = config.sip.listen_given && std::ranges::none_of(config.sip.listen, [](const Listen& one) {
                           return one.endpoint.address.is_unspecified();
                       });
    if (!named) {
        diagnostics.error(at, "cluster", "state",
                          "a standby does not have the addresses that move, and cannot find them out; write them in "
                          "[sip] listen, each by itself");
    }
}

}  // namespace natkit::config
