#include "natkit/sip/locate.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/hash.hpp"
#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

constexpr std::size_t max_services = 8;
constexpr std::size_t max_targets = 16;
constexpr std::array transports = {Transport::udp, Transport::tcp, Transport::tls};

/// A number that looks random, made of the seed (splitmix64).
std::uint64_t next_random(std::uint64_t& seed) {
    seed += hash::golden;
    return hash::mix(seed);
}

std::string plain(std::string_view name) {
    while (name.ends_with('.')) name.remove_suffix(1);
    return text::lower(name);
}

std::uint16_t default_port(Transport transport) {
    return transport == Transport::tls ? 5061 : 5060;
}

std::string srv_name(Transport transport, const std::string& host) {
    constexpr const char* prefixes[] = {"_sip._udp.", "_sip._tcp.", "_sips._tcp."};
    return prefixes[static_cast<int>(transport)] + host;
}

std::optional<Transport> transport_of_service(std::string_view service) {
    if (text::iequals(service, "SIP+D2U")) return Transport::udp;
    if (text::iequals(service, "SIP+D2T")) return Transport::tcp;
    if (text::iequals(service, "SIPS+D2T")) return Transport::tls;
    return std::nullopt;
}

/// RFC 2782: lower priorities first; among equals at random, with a chance in proportion to the weight.
std::vector<dns::Srv> in_order(std::vector<dns::Srv> records, std::uint64_t seed) {
    std::ranges::stable_sort(records, {}, [](const dns::Srv& r) { return std::pair(r.priority, r.weight != 0); });
    for (auto first = records.begin(); first != records.end(); ++first) {
        const auto last =
            std::find_if(first, records.end(), [&](const auto& r) { return r.priority != first->priority; });
        std::uint64_t sum = 0;
        for (auto at = first; at != last; ++at) sum += at->weight;
        std::uint64_t chosen = next_random(seed) % (sum + 1);
        auto at = first;
        while (std::next(at) != last && chosen > at->weight) {
            chosen -= at->weight;
            ++at;
        }
        std::rotate(first, at, std::next(at));
    }
    return records;
}

/// One run of the procedure: asks what it needs, collects what it finds.
class Search {
  public:
    Search(const Abilities& abilities, const Answers& answers, std::uint64_t seed)
        : abilities_(abilities), answers_(answers), seed_(seed) {}

    [[nodiscard]] Location run(const Uri& uri);

  private:
    struct Service {
        Transport transport{};
        std::string name;  ///< of the SRV records
    };

    const dns::Answer* ask(dns::Query::Kind kind, const std::string& name) {
        const dns::Query query{.kind = kind, .name = name};
        const dns::Answer* answer = answers_(query);
        if (answer == nullptr) {
            if (std::ranges::find(result_.missing, query) == result_.missing.end()) result_.missing.push_back(query);
        } else if (answer->failed) {
            result_.failed = true;
        }
        return answer;
    }
    void add(Transport transport, const IpAddress& address, std::uint16_t port) {
        const Located place{.transport = transport, .endpoint = {.address = address, .port = port}};
        if (!abilities_.has(transport) || result_.targets.size() >= max_targets) return;
        if (std::ranges::find(result_.targets, place) == result_.targets.end()) result_.targets.push_back(place);
    }
    void add_host(Transport transport, const std::string& host, std::uint16_t port);
    bool add_services(const Service& service);
    [[nodiscard]] std::vector<Service> services(const std::string& host, bool secure);

    const Abilities& abilities_;
    const Answers& answers_;
    std::uint64_t seed_;
    Location result_;
};

void Search::add_host(Transport transport, const std::string& host, std::uint16_t port) {
    if (const auto address = IpAddress::parse(host)) return add(transport, *address, port);
    for (const auto kind : {dns::Query::Kind::a, dns::Query::Kind::aaaa}) {
        if (kind == dns::Query::Kind::a ? !abilities_.ipv4 : !abilities_.ipv6) continue;
        const dns::Answer* answer = ask(kind, host);
        if (answer == nullptr) continue;
        for (const IpAddress& address : answer->addresses) add(transport, address, port);
    }
}

/// True when there are SRV records, or it is not known yet.
bool Search::add_services(const Service& service) {
    const dns::Answer* answer = ask(dns::Query::Kind::srv, service.name);
    if (answer == nullptr) return true;
    std::size_t count = 0;
    for (const dns::Srv& record : in_order(answer->srv, seed_)) {
        const std::string target = plain(record.target);
        if (target.empty() || ++count > max_services) continue;
        add_host(service.transport, target, record.port);
    }
    return !answer->srv.empty();
}

/// Section 4.1: the services that the NAPTR records name, or those that are usual.
std::vector<Search::Service> Search::services(const std::string& host, bool secure) {
    std::vector<Service> list;
    const dns::Answer* answer = ask(dns::Query::Kind::naptr, host);
    if (answer == nullptr) return list;
    std::vector<dns::Naptr> records = answer->naptr;
    std::ranges::stable_sort(records, {}, [](const dns::Naptr& r) { return std::pair(r.order, r.preference); });
    for (const dns::Naptr& record : records) {
        const auto transport = transport_of_service(record.service);
        const bool usable = transport && abilities_.has(*transport) && (!secure || *transport == Transport::tls);
        if (!usable || !text::iequals(record.flags, "s") || list.size() >= max_services) continue;
        list.push_back({.transport = *transport, .name = plain(record.replacement)});
    }
    if (!list.empty()) return list;
    for (const Transport transport : transports) {
        if (!abilities_.has(transport) || (secure && transport != Transport::tls)) continue;
        list.push_back({.transport = transport, .name = srv_name(transport, host)});
    }
    return list;
}

Location Search::run(const Uri& uri) {
    const bool secure = uri.scheme == "sips";
    const std::string host = plain(uri.host);
    std::optional<Transport> named;
    if (const auto name = uri.params.get("transport")) {
        const auto known = parse_transport(*name);
        if (!known) return result_;
        named = secure && *known == Transport::tcp ? Transport::tls : *known;
        if (secure && *named != Transport::tls) return result_;
    }
    const Transport usual = named.value_or(secure ? Transport::tls : Transport::udp);
    if (uri.address() || uri.port) {
        add_host(usual, uri.address() ? to_string(*uri.address()) : host, uri.port.value_or(default_port(usual)));
        return result_;
    }
    bool found = false;
    if (named) {
        found = add_services({.transport = usual, .name = srv_name(usual, host)});
    } else {
        for (const Service& service : services(host, secure)) found = add_services(service) || found;
    }
    if (!found && result_.missing.empty()) add_host(usual, host, default_port(usual));
    return result_;
}

}  // namespace

Location locate(const Uri& uri, const Abilities& abilities, const Answers& answers, std::uint64_t seed) {
    return Search(abilities, answers, seed).run(uri);
}

}  // namespace natkit::sip
